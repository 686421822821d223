//! HTML pages and security headers.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use minijinja::{Environment, context};
use sha2::{Digest, Sha256};

use crate::idp::{Lang, NamespaceSettings};

const STYLE: &str = include_str!("templates/style.css");

/// Why a submitted form was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormError {
    /// The password violates the password policy.
    Password,
    /// The two passwords differ.
    Confirmation,
}

/// A page with a message instead of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// The password is set, and the browser must not be sent to the URL of the request any more.
    PasswordSet,
    /// The link is expired, used, revoked or forged, or the browser did not store the cookie.
    InvalidLink,
    /// The form came from another site, or another link has been opened since.
    ForeignForm,
    /// The request body is not a valid form.
    BadRequest,
    /// The request body is too large.
    TooLarge,
    /// The server failed; a retry may succeed.
    Failed,
}

impl Notice {
    const fn status(self) -> StatusCode {
        match self {
            Self::PasswordSet => StatusCode::OK,
            Self::InvalidLink => StatusCode::GONE,
            Self::ForeignForm => StatusCode::FORBIDDEN,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Failed => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Title and instructions.
    const fn texts(self, lang: Lang) -> (&'static str, &'static str) {
        match (self, lang) {
            (Self::PasswordSet, Lang::En) => (
                "Your password is set",
                "Close this page, and sign in with your new password where you asked for the mail.",
            ),
            (Self::PasswordSet, Lang::Ja) => (
                "パスワードを設定しました",
                "このページを閉じ、メールの送信を依頼した場所で、新しいパスワードを使ってサインインしてください。",
            ),
            (Self::InvalidLink, Lang::En) => (
                "This link does not work, or no longer",
                "A link works once, within an hour, and until a newer one is sent. Ask for a new mail where you asked for this one, \
                 and open the link of the newest. If it is the newest, see that your browser takes cookies, and open it again.",
            ),
            (Self::InvalidLink, Lang::Ja) => (
                "このリンクは使えません",
                "リンクは一時間以内に一度だけ使え、新しいリンクが送られると無効になります。メールの送信をもう一度依頼し、一番新しいメールのリンクを開いてください。\
                 一番新しいリンクの場合は、ブラウザーの Cookie を有効にして、もう一度開いてください。",
            ),
            (Self::ForeignForm, Lang::En) => (
                "Open the link once more",
                "This form is of another link, or of another site. Nothing was changed. Open the link of the newest mail once more.",
            ),
            (Self::ForeignForm, Lang::Ja) => (
                "リンクをもう一度開いてください",
                "このフォームは別のリンク、または別のサイトのものです。何も変更されていません。一番新しいメールのリンクをもう一度開いてください。",
            ),
            (Self::BadRequest | Self::TooLarge, Lang::En) => (
                "The form did not arrive as it should",
                "Nothing was changed. Go back and try once more, with a shorter password if yours is very long.",
            ),
            (Self::BadRequest | Self::TooLarge, Lang::Ja) => (
                "フォームを正しく受け取れませんでした",
                "何も変更されていません。前のページに戻り、もう一度お試しください。パスワードがとても長い場合は、短くしてください。",
            ),
            (Self::Failed, Lang::En) => (
                "The password cannot be set at the moment",
                "Your password was not changed, and your link still works. Try again in a few minutes.",
            ),
            (Self::Failed, Lang::Ja) => (
                "現在、パスワードを設定できません",
                "パスワードは変更されておらず、リンクはまだ使えます。数分後にもう一度お試しください。",
            ),
        }
    }
}

/// The compiled templates.
#[derive(Debug)]
pub(super) struct Pages {
    templates: Environment<'static>,
    /// SHA-256 of the only style that the Content-Security-Policy allows, in base64.
    style_hash: String,
}

impl Pages {
    pub(super) fn load() -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        // The extension `.html` turns on escaping.
        templates.add_template("layout.html", include_str!("templates/layout.html"))?;
        templates.add_template("form.html", include_str!("templates/form.html"))?;
        templates.add_template("notice.html", include_str!("templates/notice.html"))?;
        Ok(Self { templates, style_hash: BASE64_STANDARD.encode(Sha256::digest(STYLE)) })
    }

    pub(super) fn form(
        &self,
        settings: &NamespaceSettings,
        proof: &str,
        redirect_uri: Option<&str>,
        error: Option<FormError>,
    ) -> Response {
        let lang = settings.lang;
        let (title, password, confirmation, submit) = match lang {
            Lang::En => ("Set a new password", "New password", "New password once more", "Set password"),
            Lang::Ja => ("新しいパスワードの設定", "新しいパスワード", "新しいパスワード（確認）", "パスワードを設定"),
        };
        let (refused, differs) = match lang {
            Lang::En => {
                ("This password is not allowed. Choose one by the rules below.", "The two passwords are not the same.")
            }
            Lang::Ja => (
                "このパスワードは使えません。以下の条件に合うものを選んでください。",
                "二つのパスワードが一致しません。",
            ),
        };
        let values = context! {
            lang => lang.as_str(),
            style => STYLE,
            title => match (error, lang) {
                (None, _) => title.to_owned(),
                (Some(_), Lang::En) => format!("Error: {title}"),
                (Some(_), Lang::Ja) => format!("エラー：{title}"),
            },
            heading => title,
            password, confirmation, submit, proof,
            rules => password_rules(settings),
            password_error => (error == Some(FormError::Password)).then_some(refused),
            confirmation_error => (error == Some(FormError::Confirmation)).then_some(differs),
        };
        let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        // Browsers apply form-action to every redirect after the form, including later ones by the application: allow any
        // host, but no scheme weaker than the application's own.
        let is_https = |uri: &str| uri.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
        let targets = match redirect_uri {
            None => "'self'",
            Some(uri) if is_https(uri) => "'self' https:",
            Some(_) => "'self' https: http:",
        };
        self.page("form.html", status, &values, targets)
    }

    pub(super) fn notice(&self, lang: Lang, notice: Notice) -> Response {
        let (title, text) = notice.texts(lang);
        let values = context! { lang => lang.as_str(), style => STYLE, title, heading => title, text };
        self.page("notice.html", notice.status(), &values, "'none'")
    }

    fn page(&self, template: &str, status: StatusCode, values: &minijinja::Value, form_action: &str) -> Response {
        let html = self.templates.get_template(template).and_then(|template| template.render(values));
        let html = match html {
            Ok(html) => html,
            Err(error) => {
                tracing::error!(%error, template, "cannot render a page");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'",
            self.style_hash
        );
        (status, [(header::CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
    }
}

/// Describes the namespace's password policy in its language.
fn password_rules(settings: &NamespaceSettings) -> Vec<String> {
    let policy = &settings.user_auth_policy;
    let (min, max) = (policy.password_min_length, policy.password_max_length);
    let length = match settings.lang {
        Lang::En => format!("{min} to {max} characters"),
        Lang::Ja => format!("{min} 文字以上 {max} 文字以下"),
    };
    let classes = [
        (policy.password_require_uppercase, "an upper-case letter", "大文字を含む"),
        (policy.password_require_lowercase, "a lower-case letter", "小文字を含む"),
        (policy.password_require_numeric, "a number", "数字を含む"),
        (policy.password_require_non_alphanumeric, "a character that is neither letter nor number", "記号を含む"),
    ];
    let required = classes.into_iter().filter(|(required, ..)| *required).map(|(_, en, ja)| match settings.lang {
        Lang::En => en.to_owned(),
        Lang::Ja => ja.to_owned(),
    });
    std::iter::once(length).chain(required).collect()
}

/// Middleware that adds the security headers to every response.
pub(super) async fn set_security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // Pages set their own policy.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; form-action 'none'; frame-ancestors 'none'"));
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
