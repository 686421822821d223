//! The page in a real browser: `tests/mail/browser.mjs` drives a headless Chromium.
