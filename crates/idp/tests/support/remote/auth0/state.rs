//! The tenant behind the fake: users, connections, tokens, and what tests change about them.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// A request, as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Value,
}

/// A database connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    /// Whether its users have usernames.
    pub(crate) usernames: bool,
}

/// What tests see and change.
pub(crate) struct Tenant {
    pub(crate) connections: HashMap<String, Connection>,
    /// The scopes that the application is granted.
    pub(crate) scopes: Vec<&'static str>,
    pub(crate) token_lifetime: Duration,
    /// The time until a write is seen by searches.
    pub(crate) search_delay: Duration,
    /// The time that each answer takes.
    pub(crate) latency: Duration,
    /// The number of requests in a second, if there is a limit.
    pub(crate) rate: Option<u32>,
    /// Answers with which the next requests fail, whatever they ask for.
    pub(crate) faults: Vec<(u16, Value)>,
    pub(crate) requests: Vec<Seen>,
    /// The largest number of requests that were in flight at once.
    pub(crate) most_in_flight: usize,
    /// The mails that Auth0 would have sent.
    pub(crate) mails: Vec<String>,
    pub(crate) passwords: HashMap<String, String>,
    pub(super) in_flight: usize,
    pub(super) window: (u64, u32),
    tokens: HashMap<String, (Instant, Vec<&'static str>)>,
    users: BTreeMap<u64, Value>,
    /// The users as searches see them, and the writes that they do not see yet.
    index: BTreeMap<u64, Value>,
    unindexed: Vec<(Instant, u64, Option<Value>)>,
    last: u64,
}

/// The secret of the application.
pub(crate) const CLIENT_ID: &str = "fakeClientId";
pub(crate) const CLIENT_SECRET: &str = "fake-client-secret-0451";
/// The connection that is always there.
pub(crate) const CONNECTION: &str = "Username-Password-Authentication";

impl Default for Tenant {
    fn default() -> Self {
        Self {
            connections: HashMap::from([(CONNECTION.to_owned(), Connection::default())]),
            scopes: vec!["read:users", "create:users", "update:users", "delete:users"],
            token_lifetime: Duration::from_secs(86_400),
            search_delay: Duration::ZERO,
            latency: Duration::ZERO,
            rate: None,
            faults: Vec::new(),
            requests: Vec::new(),
            most_in_flight: 0,
            mails: Vec::new(),
            passwords: HashMap::new(),
            in_flight: 0,
            window: (0, 0),
            tokens: HashMap::new(),
            users: BTreeMap::new(),
            index: BTreeMap::new(),
            unindexed: Vec::new(),
            last: 0,
        }
    }
}

impl Tenant {
    /// The requests to the API, without those for tokens.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = self.requests.iter().filter(|seen| seen.path != "/oauth/token");
        calls.map(|seen| format!("{} {}", seen.method, seen.path.trim_start_matches("/api/v2"))).collect()
    }

    /// The number of requests for tokens.
    pub(crate) fn token_requests(&self) -> usize {
        self.requests.iter().filter(|seen| seen.path == "/oauth/token").count()
    }

    /// Adds a user of a connection, with further fields, and returns the id.
    pub(crate) fn add(&mut self, connection: &str, fields: Value) -> String {
        self.last += 1;
        let number = self.last;
        let own = fields["user_id"].as_str().map_or_else(|| format!("{number:024x}"), ToOwned::to_owned);
        let id = format!("auth0|{own}");
        let time = time(number);
        let mut user = json!({
            "user_id": id, "created_at": time, "updated_at": time, "email_verified": false, "picture": "https://example.com/p.png",
            "user_metadata": { "colour": "blue" },
            "identities": [{ "connection": connection, "user_id": own, "provider": "auth0", "isSocial": false }],
        });
        if let (Some(user), Value::Object(fields)) = (user.as_object_mut(), fields) {
            user.extend(fields.into_iter().filter(|(key, _)| key != "user_id"));
        }
        self.put(number, Some(user));
        id
    }

    /// Replaces fields of a user; `null` removes them.
    pub(crate) fn change(&mut self, id: &str, fields: Map<String, Value>) -> Option<Value> {
        let (number, mut user) = self.numbered(id)?;
        if let Some(user) = user.as_object_mut() {
            user.extend(fields);
            user.retain(|_, value| !value.is_null());
        }
        self.put(number, Some(user.clone()));
        Some(user)
    }

    pub(crate) fn remove(&mut self, id: &str) {
        if let Some((number, _)) = self.numbered(id) {
            self.put(number, None);
        }
        self.passwords.remove(id);
    }

    pub(crate) fn user(&self, id: &str) -> Option<Value> {
        self.numbered(id).map(|(_, user)| user)
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = &Value> {
        self.users.values()
    }

    /// The users as searches see them, in creation order.
    pub(super) fn indexed(&mut self) -> impl Iterator<Item = &Value> {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.unindexed).into_iter().partition(|(at, ..)| *at <= now);
        self.unindexed = later;
        for (_, number, user) in due {
            set(&mut self.index, number, user);
        }
        self.index.values()
    }

    pub(super) fn issue_token(&mut self) -> (String, String) {
        let token = format!("fake-access-token-{}", self.token_requests());
        self.tokens.insert(token.clone(), (Instant::now() + self.token_lifetime, self.scopes.clone()));
        (token, self.scopes.join(" "))
    }

    /// The scopes of a token that is valid.
    pub(super) fn token_scopes(&self, token: &str) -> Option<&[&'static str]> {
        let (until, scopes) = self.tokens.get(token)?;
        (Instant::now() < *until).then_some(scopes)
    }

    /// Makes all tokens invalid before their time.
    pub(crate) fn revoke_tokens(&mut self) {
        self.tokens.clear();
    }

    fn put(&mut self, number: u64, user: Option<Value>) {
        set(&mut self.users, number, user.clone());
        if self.search_delay.is_zero() && self.unindexed.is_empty() {
            set(&mut self.index, number, user);
        } else {
            self.unindexed.push((Instant::now() + self.search_delay, number, user));
        }
    }

    fn numbered(&self, id: &str) -> Option<(u64, Value)> {
        let mut users = self.users.iter();
        users.find(|(_, user)| user["user_id"] == id).map(|(number, user)| (*number, user.clone()))
    }
}

fn set(users: &mut BTreeMap<u64, Value>, number: u64, user: Option<Value>) {
    match user {
        Some(user) => users.insert(number, user),
        None => users.remove(&number),
    };
}

/// Creation times: a millisecond apart.
fn time(number: u64) -> String {
    let (seconds, millis) = (number / 1000, number % 1000);
    let (hours, minutes, seconds) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("2026-01-15T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
}
