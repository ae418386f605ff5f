"""The engine: multilingual knowledge adapters, trained, fused and evaluated. Never imports Streamlit."""
