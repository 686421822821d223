//! Between JavaScript's values and the identity provider's.
//!
//! A value of the wrong type is refused with the field, what was expected and what came. Reading a property can run the
//! script's code, which can throw: what it throws is what the call rejects with.

use deno_core::v8::{self, Global, Local, PinScope, Value};
use zeroize::Zeroizing;

use crate::idp::{Code, IdpError, Password, User, UserPage, UserQuery};

/// UTF-16 units that are read of one argument at the most: far above every limit of the rules, which speak for
/// themselves, and too few to be worth a script's while.
const MAX_TEXT: usize = 1024 * 1024;

/// JavaScript's integers end here (`Number.MAX_SAFE_INTEGER`).
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Why an input cannot be read.
pub(super) enum Refusal {
    /// It is not of the form.
    Rule(IdpError),
    /// Reading it ran the script's code, which threw this.
    Thrown(Global<Value>),
}

impl From<IdpError> for Refusal {
    fn from(error: IdpError) -> Self {
        Self::Rule(error)
    }
}

type Read<T> = Result<T, Refusal>;

/// An argument that is read field by field.
#[derive(Clone, Copy)]
pub(super) struct Fields<'s> {
    // None: an argument that was left out, and has no fields.
    object: Option<Local<'s, v8::Object>>,
    // Stands before the names of fields in errors: `query.` of `query.ids`.
    prefix: &'static str,
}

impl<'s> Fields<'s> {
    /// The fields of an argument that has to be there.
    pub(super) fn of(scope: &mut PinScope<'s, '_>, argument: &str, value: Local<'s, Value>) -> Read<Self> {
        if value.is_function() || value.is_array() {
            return Err(refused(scope, argument, "an object", value));
        }
        match value.try_cast() {
            Ok(object) => Ok(Self { object: Some(object), prefix: "" }),
            Err(_) => Err(refused(scope, argument, "an object", value)),
        }
    }

    /// The fields of an argument that may be left out.
    pub(super) fn of_optional(scope: &mut PinScope<'s, '_>, argument: &str, value: Local<'s, Value>) -> Read<Self> {
        if value.is_undefined() { Ok(Self { object: None, prefix: "" }) } else { Self::of(scope, argument, value) }
    }

    /// The fields of a field that may be left out; their names in errors begin with `prefix`.
    pub(super) fn nested(&self, scope: &mut PinScope<'s, '_>, field: &str, prefix: &'static str) -> Read<Self> {
        let value = self.get(scope, field)?;
        Ok(Self { prefix, ..Self::of_optional(scope, field, value)? })
    }

    /// A field that has to be there.
    pub(super) fn required<T>(
        &self,
        scope: &mut PinScope<'s, '_>,
        field: &str,
        read: impl FnOnce(&mut PinScope<'s, '_>, &str, Local<'s, Value>) -> Read<T>,
    ) -> Read<T> {
        let value = self.get(scope, field)?;
        read(scope, &format!("{}{field}", self.prefix), value)
    }

    /// A field that may be left out, or `undefined`.
    pub(super) fn optional<T>(
        &self,
        scope: &mut PinScope<'s, '_>,
        field: &str,
        read: impl FnOnce(&mut PinScope<'s, '_>, &str, Local<'s, Value>) -> Read<T>,
    ) -> Read<Option<T>> {
        let value = self.get(scope, field)?;
        if value.is_undefined() {
            return Ok(None);
        }
        read(scope, &format!("{}{field}", self.prefix), value).map(Some)
    }

    fn get(&self, scope: &mut PinScope<'s, '_>, field: &str) -> Read<Local<'s, Value>> {
        let Some(object) = self.object else { return Ok(v8::undefined(scope).into()) };
        let key = name(scope, field).unwrap_or_else(|| v8::String::empty(scope));
        attempt(scope, |scope| object.get(scope, key.into()))
    }
}

/// Runs what may run a script's code, and takes what that throws.
fn attempt<'s, T>(scope: &mut PinScope<'s, '_>, run: impl FnOnce(&mut PinScope<'s, '_>) -> Option<T>) -> Read<T> {
    v8::tc_scope!(let scope, scope);
    run(scope).ok_or_else(|| {
        let thrown = scope.exception().unwrap_or_else(|| v8::undefined(scope).into());
        Refusal::Thrown(Global::new(scope, thrown))
    })
}

pub(super) fn string<'s>(scope: &mut PinScope<'s, '_>, field: &str, value: Local<'s, Value>) -> Read<String> {
    let text = checked_text(scope, field, value)?;
    well_formed(scope, text).ok_or_else(|| ill_formed(field))
}

fn checked_text<'s>(scope: &mut PinScope<'s, '_>, field: &str, value: Local<'s, Value>) -> Read<Local<'s, v8::String>> {
    let text = value.try_cast::<v8::String>().map_err(|_| refused(scope, field, "a string", value))?;
    let length = text.length();
    if length > MAX_TEXT {
        return Err(invalid(format!("{field} is far too long: {length} characters")));
    }
    Ok(text)
}

fn ill_formed(field: &str) -> Refusal {
    invalid(format!("{field} must be well-formed text: it has a lone surrogate"))
}

/// The text, if it has no lone surrogates. Replacing them would make different texts equal: names, keys, passwords.
pub(crate) fn well_formed<'s>(scope: &mut PinScope<'s, '_>, text: Local<'s, v8::String>) -> Option<String> {
    if text.contains_only_onebyte() {
        return Some(text.to_rust_string_lossy(scope));
    }
    let mut units = vec![0; text.length()];
    text.write_v2(scope, 0, &mut units, v8::WriteFlags::empty());
    String::from_utf16(&units).ok()
}

/// A password. No copy that is made on the way stays in memory; the script's own string does, until the isolate is gone.
pub(super) fn password<'s>(scope: &mut PinScope<'s, '_>, field: &str, value: Local<'s, Value>) -> Read<Password> {
    let text = checked_text(scope, field, value)?;
    let mut units = Zeroizing::new(vec![0; text.length()]);
    text.write_v2(scope, 0, &mut units, v8::WriteFlags::empty());
    // At most three bytes a unit: the buffer does not move while it is filled.
    let mut password = Zeroizing::new(String::with_capacity(3 * units.len()));
    for character in char::decode_utf16(units.iter().copied()) {
        password.push(character.map_err(|_| ill_formed(field))?);
    }
    Ok(Password::from(password.as_str()))
}

pub(super) fn boolean<'s>(scope: &mut PinScope<'s, '_>, field: &str, value: Local<'s, Value>) -> Read<bool> {
    if value.is_boolean() { Ok(value.is_true()) } else { Err(refused(scope, field, "a boolean", value)) }
}

pub(super) fn integer<'s>(scope: &mut PinScope<'s, '_>, field: &str, value: Local<'s, Value>) -> Read<i64> {
    match value.try_cast::<v8::Number>().map(|number| number.value()) {
        Ok(number) if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER => Ok(number as i64),
        // As the script spells it.
        Ok(_) => Err(invalid(format!("{field} must be an integer, got {}", value.to_rust_string_lossy(scope)))),
        Err(_) => Err(refused(scope, field, "an integer", value)),
    }
}

/// The entries of a filter. An array that is too long is not read.
pub(super) fn strings<'s>(scope: &mut PinScope<'s, '_>, field: &str, value: Local<'s, Value>) -> Read<Vec<String>> {
    let array = match value.try_cast::<v8::Object>() {
        Ok(array) if is_array(scope, array) => array,
        _ => return Err(refused(scope, field, "an array of strings", value)),
    };
    let length = v8::String::new(scope, "length").unwrap_or_else(|| v8::String::empty(scope));
    let length = attempt(scope, |scope| array.get(scope, length.into())?.uint32_value(scope))?;
    UserQuery::check_length(field, length as usize)?;
    let mut left = MAX_TEXT;
    (0..length)
        .map(|index| {
            let element = attempt(scope, |scope| array.get_index(scope, index))?;
            let text = string(scope, &format!("{field}[{index}]"), element)?;
            left = left.checked_sub(text.len()).ok_or_else(|| invalid(format!("{field} is far too long")))?;
            Ok(text)
        })
        .collect()
}

/// `Array.isArray`: true of a proxy of an array as well.
pub(crate) fn is_array<'s>(scope: &mut PinScope<'s, '_>, object: Local<'s, v8::Object>) -> bool {
    let mut value: Local<'s, Value> = object.into();
    while let Ok(proxy) = value.try_cast::<v8::Proxy>() {
        // QuickJS has no target to give.
        if proxy.is_revoked() {
            return false;
        }
        value = proxy.get_target(scope);
    }
    value.is_array()
}

fn invalid(detail: String) -> Refusal {
    Refusal::Rule(IdpError::invalid_argument(detail))
}

fn refused<'s>(scope: &mut PinScope<'s, '_>, field: &str, expected: &str, value: Local<'s, Value>) -> Refusal {
    invalid(format!("{field} must be {expected}, got {}", kind(scope, value)))
}

/// What a value is, without a word of what is in it: it may be a password.
pub(super) fn kind<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> String {
    if value.is_null() {
        "null".to_owned()
    } else if value.is_array() {
        "an array".to_owned()
    } else {
        match value.type_of(scope).to_rust_string_lossy(scope).as_str() {
            "undefined" => "undefined".to_owned(),
            "object" => "an object".to_owned(),
            kind => format!("a {kind}"),
        }
    }
}

/// What the identity provider answers.
pub(super) trait Answer {
    /// The answer as `tailor.d.ts` has it. `make_user` is the client's own: an object literal, which is the fastest way to an
    /// object, and which nothing that a script has put on a prototype can see.
    fn into_script<'s>(
        self,
        scope: &mut PinScope<'s, '_>,
        make_user: Local<'s, v8::Function>,
    ) -> Read<Local<'s, Value>>;
}

/// Of an operation that has nothing to say.
impl Answer for () {
    fn into_script<'s>(self, scope: &mut PinScope<'s, '_>, _: Local<'s, v8::Function>) -> Read<Local<'s, Value>> {
        Ok(v8::Boolean::new(scope, true).into())
    }
}

impl Answer for User {
    fn into_script<'s>(
        self,
        scope: &mut PinScope<'s, '_>,
        make_user: Local<'s, v8::Function>,
    ) -> Read<Local<'s, Value>> {
        let Self { id, name, disabled, created_at, mfa_enrolled, mfa_factor_ids } = self;
        let undefined = v8::undefined(scope).into();
        let factors = match mfa_factor_ids.is_empty() {
            true => undefined,
            false => {
                let factors: Vec<_> = mfa_factor_ids.iter().map(|id| text(scope, id)).collect::<Read<_>>()?;
                v8::Array::new_with_elements(scope, &factors).into()
            }
        };
        let fields = [
            text(scope, &id)?,
            text(scope, &name)?,
            v8::Boolean::new(scope, disabled).into(),
            created_at.map_or(Ok(undefined), |created_at| text(scope, &created_at.to_string()))?,
            v8::Boolean::new(scope, mfa_enrolled).into(),
            factors,
        ];
        attempt(scope, |scope| make_user.call(scope, undefined, &fields))
    }
}

impl Answer for UserPage {
    fn into_script<'s>(
        self,
        scope: &mut PinScope<'s, '_>,
        make_user: Local<'s, v8::Function>,
    ) -> Read<Local<'s, Value>> {
        let Self { users, next_page_token, total_count } = self;
        let page = v8::Object::new(scope);
        let users: Vec<_> = users.into_iter().map(|user| user.into_script(scope, make_user)).collect::<Read<_>>()?;
        define(scope, page, "users", v8::Array::new_with_elements(scope, &users).into())?;
        let token = match next_page_token {
            Some(token) => text(scope, &token)?,
            None => v8::null(scope).into(),
        };
        define(scope, page, "nextPageToken", token)?;
        // Exact up to 2^53 users.
        define(scope, page, "totalCount", v8::Number::new(scope, total_count as f64).into())?;
        Ok(page.into())
    }
}

/// Defines a property, where assigning could call a setter that a script has put on `Object.prototype`.
fn define<'s>(
    scope: &mut PinScope<'s, '_>,
    object: Local<'s, v8::Object>,
    key: &str,
    value: Local<'s, Value>,
) -> Read<()> {
    let key = name(scope, key).ok_or_else(too_long)?;
    object.create_data_property(scope, key.into(), value).map(drop).ok_or_else(too_long)
}

/// A property's name, as the engine keeps names: of each there is one, which it finds faster than it makes another.
fn name<'s>(scope: &mut PinScope<'s, '_>, name: &str) -> Option<Local<'s, v8::String>> {
    debug_assert!(name.is_ascii());
    v8::String::new_from_one_byte(scope, name.as_bytes(), v8::NewStringType::Internalized)
}

fn text<'s>(scope: &mut PinScope<'s, '_>, text: &str) -> Read<Local<'s, Value>> {
    let text = match text.is_ascii() {
        // As most are, and without a look at how each character is encoded.
        true => v8::String::new_from_one_byte(scope, text.as_bytes(), v8::NewStringType::Normal),
        false => v8::String::new(scope, text),
    };
    text.map(Into::into).ok_or_else(too_long)
}

fn too_long() -> Refusal {
    Refusal::Rule(IdpError::new(Code::Internal, "the answer is too large for the script"))
}
