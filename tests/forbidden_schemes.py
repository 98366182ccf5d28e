"""Schemes that no workspace can allow, for tests of settings and destinations."""

FORBIDDEN_SCHEMES = [
    *("javascript", "vbscript", "livescript", "mocha", "data", "jar", "mhtml", "feed"),
    *("about", "blob", "file", "filesystem", "view-source", "resource", "res", "chrome"),
    *("chrome-extension", "moz-extension", "safari-web-extension", "chrome-untrusted"),
    *("intent", "android-app", "search", "search-ms", "shell", "itms-services", "smb"),
    *("ms-msdt", "ms-appinstaller", "ms-officecmd", "ms-word", "ms-settings", "microsoft-edge"),
]
