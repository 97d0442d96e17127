"""The app: `tierwatt app`, or `streamlit run app.py`."""

from solver.ui.main import main

main()
