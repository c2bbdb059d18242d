"""The engine `encoder`: models that read a text from both sides and fill its gaps, sort it or label its words."""
