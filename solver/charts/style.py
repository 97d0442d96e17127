"""Look of the HTML page: light and dark by what the reader's system prefers, and plain on paper."""

CSS = """
:root { --ink:#23272b; --soft:#5b646d; --line:#d9dde1; --page:#fbfbfa; --card:#fff; --accent:#2f6ea5; --bad:#a8323a; }
@media (prefers-color-scheme: dark) {
  :root { --ink:#dfe3e7; --soft:#9aa4ad; --line:#3a4149; --page:#16191c; --card:#1e2226; }
  :root { --accent:#7fb2de; --bad:#e5868c; }
}
* { box-sizing: border-box; }
body { margin:0; background:var(--page); color:var(--ink); line-height:1.5;
  font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif; }
main { max-width:1120px; margin:0 auto; padding:28px 24px 60px; }
h1 { font-size:1.7rem; margin:0 0 2px; line-height:1.25; }
h2 { font-size:1.2rem; margin:44px 0 10px; padding-top:14px; border-top:1px solid var(--line); }
h3 { font-size:1rem; margin:22px 0 6px; }
p { margin:6px 0; } .soft { color:var(--soft); } .bad { color:var(--bad); font-weight:600; }
.status { display:inline-block; padding:1px 9px; border:1px solid var(--line); border-radius:10px; font-size:.85rem; }
.kpis { display:grid; grid-template-columns:repeat(auto-fit,minmax(225px,1fr)); gap:14px; margin:22px 0; }
.kpi { background:var(--card); border:1px solid var(--line); border-radius:8px; padding:14px 16px; }
.kpi .name { color:var(--soft); font-size:.85rem; } .kpi .value { font-size:1.55rem; font-weight:650; line-height:1.3; }
.kpi .unit { font-size:.9rem; font-weight:400; } .kpi .basis { font-size:.8rem; color:var(--soft); margin-top:4px; }
.brief { background:var(--card); border:1px solid var(--line); border-radius:8px; padding:10px 18px; }
.brief dt { font-weight:650; margin-top:8px; } .brief dd { margin:0; }
.wide { overflow-x:auto; }
table { border-collapse:collapse; width:100%; font-size:.86rem; font-variant-numeric:tabular-nums; }
th,td { text-align:left; padding:4px 10px 4px 0; border-bottom:1px solid var(--line); vertical-align:top; }
th { color:var(--soft); font-weight:600; } td.n,th.n { text-align:right; white-space:nowrap; padding-right:16px; }
td.s { color:var(--soft); font-size:.78rem; overflow-wrap:anywhere; min-width:180px; }
figure { margin:14px 0 20px; background:var(--card); border:1px solid var(--line); border-radius:8px;
  padding:12px 14px; }
figcaption { font-weight:650; margin-bottom:4px; } figcaption span { font-weight:400; color:var(--soft); }
pre,code { font-family:ui-monospace,"SF Mono",Menlo,Consolas,monospace; font-size:.82rem; }
pre { background:var(--card); border:1px solid var(--line); border-radius:8px; padding:10px 14px; overflow-x:auto;
  white-space:pre-wrap; overflow-wrap:anywhere; }
details { margin:10px 0; } summary { cursor:pointer; color:var(--accent); }
@media print {
  :root { --ink:#000; --soft:#444; --line:#bbb; --page:#fff; --card:#fff; --accent:#000; --bad:#800; }
  main { max-width:none; padding:0; } figure,.kpi,.brief,tr { break-inside:avoid; } h2 { break-after:avoid; }
}
"""

SCRIPT = """
const dark = matchMedia('(prefers-color-scheme: dark)');
function paint(onPaper) {
  const ink = dark.matches && !onPaper ? '#dfe3e7' : '#23272b';
  for (const plot of document.querySelectorAll('.js-plotly-plot')) {
    Plotly.relayout(plot, {'font.color': ink});
    if (plot.data[0].type === 'sankey') Plotly.restyle(plot, {'textfont.color': ink});
  }
}
dark.addEventListener('change', () => paint(false));
addEventListener('beforeprint', () => paint(true));
addEventListener('afterprint', () => paint(false));
paint(false);
"""
"""Gives text of charts the colour of the page, and that of paper while it prints."""
