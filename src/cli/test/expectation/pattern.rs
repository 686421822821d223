//! Patterns: text with matchers.

pub(super) const UUID: &str = "[UUID]";
pub(super) const TIME: &str = "[TIME]";

const MATCHERS: [(&str, Token<'static>); 4] =
    [("[WILDCARD]", Token::Anything), ("[WILDLINE]", Token::RestOfLine), (UUID, Token::Uuid), (TIME, Token::Time)];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Token<'a> {
    Text(&'a str),
    Anything,
    RestOfLine,
    Uuid,
    Time,
}

impl Token<'_> {
    /// Length of the match at the start of `text`, for tokens that match one length only.
    fn length(self, text: &[u8]) -> Option<usize> {
        let literal = |name: &str| text.starts_with(name.as_bytes()).then_some(name.len());
        match self {
            Self::Text(part) => literal(part),
            // A script may print the name of a matcher; the generalized output must still match.
            Self::Uuid => uuid_length(text).or_else(|| literal(UUID)),
            Self::Time => time_length(text).or_else(|| literal(TIME)),
            Self::Anything | Self::RestOfLine => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Pattern<'a>(Vec<Token<'a>>);

impl<'a> Pattern<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let (mut tokens, mut start, mut from) = (Vec::new(), 0, 0);
        while let Some(bracket) = text[from..].find('[').map(|found| from + found) {
            let matcher = MATCHERS.iter().find(|(name, _)| text[bracket..].starts_with(name));
            let Some((name, token)) = matcher else {
                from = bracket + 1;
                continue;
            };
            if start < bracket {
                tokens.push(Token::Text(&text[start..bracket]));
            }
            tokens.push(*token);
            from = bracket + name.len();
            start = from;
        }
        if start < text.len() {
            tokens.push(Token::Text(&text[start..]));
        }
        Self(tokens)
    }

    pub(super) fn tokens(&self) -> &[Token<'a>] {
        &self.0
    }

    pub(super) fn from_tokens(tokens: Vec<Token<'a>>) -> Self {
        Self(tokens)
    }

    /// Whether it can match several lines.
    pub(super) fn spans_lines(&self) -> bool {
        self.0.contains(&Token::Anything)
    }

    /// Whether the pattern matches the whole text.
    ///
    /// Text between two wildcards is matched at its first occurrence, which leaves the most to the second wildcard. Therefore
    /// backtracking to the last wildcard of each kind is sufficient.
    pub(super) fn matches(&self, text: &str) -> bool {
        let (tokens, text) = (&self.0, text.as_bytes());
        let (mut token, mut at) = (0, 0);
        let mut line: Option<(usize, usize)> = None;
        let mut anything: Option<(usize, usize)> = None;
        loop {
            match tokens.get(token) {
                None if at == text.len() => return true,
                None => {}
                Some(Token::Anything) => {
                    token += 1;
                    (anything, line) = (Some((token, at)), None);
                    continue;
                }
                Some(Token::RestOfLine) => {
                    token += 1;
                    line = Some((token, at));
                    continue;
                }
                Some(fixed) => {
                    if let Some(length) = fixed.length(&text[at..]) {
                        token += 1;
                        at += length;
                        continue;
                    }
                }
            }
            line = line.filter(|(_, from)| text.get(*from).is_some_and(|byte| *byte != b'\n'));
            let wildcard = if line.is_some() { &mut line } else { &mut anything };
            let Some((after, from)) = wildcard.as_mut().filter(|(_, from)| *from < text.len()) else { return false };
            *from += 1;
            (token, at) = (*after, *from);
        }
    }
}

/// Length of the lower-case UUID at the start of the text.
pub(super) fn uuid_length(text: &[u8]) -> Option<usize> {
    const LENGTH: usize = 36;
    let fits = |(index, byte): (usize, &u8)| match index {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    text.get(..LENGTH)?.iter().enumerate().all(fits).then_some(LENGTH)
}

/// Length of the UTC time at the start of the text, such as `2026-01-31T09:30:00.123Z`.
pub(super) fn time_length(text: &[u8]) -> Option<usize> {
    const FORM: &[u8] = b"0000-00-00T00:00:00.";
    let fits = |(form, byte): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { form == byte };
    if !text.get(..FORM.len())?.iter().zip(FORM).map(|(byte, form)| (form, byte)).all(fits) {
        return None;
    }
    let digits = text[FORM.len()..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = FORM.len() + digits;
    (digits > 0 && text.get(end) == Some(&b'Z')).then_some(end + 1)
}
