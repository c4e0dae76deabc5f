"""OTLP/JSON traces with GenAI attributes as statements (specs/03 §6)."""
