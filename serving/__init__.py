"""The platform's answering side: snapshot format, API and security; it never loads a JVM."""
