"""Where PodAutoscalers come from: the API server, or a directory of files."""
