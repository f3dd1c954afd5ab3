"""What a drill or a move has shown, as a signed report: figures, levels, timeline, in Chinese and English."""
