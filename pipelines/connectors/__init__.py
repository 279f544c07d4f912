"""Pull clients of the platforms: raw answers to the landing, windows remembered, gaps said."""
