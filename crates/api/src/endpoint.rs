//! What an HTTP endpoint is to both sides: method, path, what it takes, what it answers.
//!
//! The server routes by these constants and reads by these types; the client does the reverse; so the two cannot disagree.
//! Knows no HTTP server and no HTTP client.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::json::{self, FromJson, Invalid, JsonObject, Parsed, Reader, words};
use crate::schema::{Describe, DescribeFields, Object, Schema, Schemas};

words! {
    /// An HTTP method.
    pub enum Method {
        /// Removes.
        Delete = "DELETE",
        /// Reads.
        Get = "GET",
        /// Reads the headers only.
        Head = "HEAD",
        /// Asks what is possible.
        Options = "OPTIONS",
        /// Changes a part.
        Patch = "PATCH",
        /// Creates or acts.
        Post = "POST",
        /// Replaces.
        Put = "PUT",
    }
}

/// An operation of the REST API.
///
/// ```
/// use antiphon_api::endpoint::{Endpoint, PathArguments};
/// use antiphon_api::rest::calls::CreateCall;
///
/// assert_eq!(CreateCall::METHOD.as_str(), "POST");
/// assert_eq!(().fill(CreateCall::PATH), "/api/calls");
/// ```
pub trait Endpoint {
    /// The method.
    const METHOD: Method;
    /// The path from the root, with its arguments in braces: `/api/calls/{call_id}`.
    const PATH: &'static str;
    /// The status of success.
    const SUCCESS: u16;
    /// How large the body may be, in bytes; if it is not said, as large as bodies usually may: 1 MiB (protocol.md A-65).
    const MAX_BODY_BYTES: Option<usize> = None;
    /// The arguments in the path.
    type Path: PathArguments;
    /// The parameters of the query.
    type Query: FromJson + Serialize + DescribeFields;
    /// The request's body.
    type Body: Payload;
    /// The form that may come in the place of the body.
    type Form: Form;
    /// The answer's body.
    type Response: Payload;
    /// The statuses of failure that are the operation's own, beyond those that follow from what it takes.
    const FAILURES: &'static [u16];
    /// The doc comment of the operation.
    const DOC: &'static str;
}

/// Defines an endpoint: `Name: Method "/path" path P, query Q, body B, form F, up to N MiB, -> status Response | failure | failure`,
/// where each of path, query, body, form and the size of these may be left out. Failures that follow from these, such as 400 for a
/// body, go without saying.
macro_rules! endpoint {
    (
        $(#[$($meta:tt)*])*
        pub $name:ident: $method:ident $path:literal $(path $arguments:ty,)?
        $(query $query:ty,)? $(body $body:ty,)? $(form $form:ty,)? $(up to $mib:literal MiB,)?
        -> $status:literal $response:ty $(| $failure:literal)*
    ) => {
        $(#[$($meta)*])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl $crate::endpoint::Endpoint for $name {
            const METHOD: $crate::endpoint::Method = $crate::endpoint::Method::$method;
            const PATH: &'static str = $path;
            const SUCCESS: u16 = $status;
            $( const MAX_BODY_BYTES: Option<usize> = Some($mib << 20); )?
            type Path = $crate::endpoint::or_else!($($arguments)?, ());
            type Query = $crate::endpoint::or_else!($($query)?, $crate::endpoint::NoQuery);
            type Body = $crate::endpoint::or_else!($($body)?, $crate::endpoint::NoBody);
            type Form = $crate::endpoint::or_else!($($form)?, ());
            type Response = $response;
            const FAILURES: &'static [u16] = &[$($failure),*];
            const DOC: &'static str = $crate::schema::comment!($(#[$($meta)*])*);
        }
    };
}
pub(crate) use endpoint;

/// The first type, or the second if there is no first.
macro_rules! or_else {
    (, $default:ty) => {
        $default
    };
    ($given:ty, $default:ty) => {
        $given
    };
}
pub(crate) use or_else;

/// What a body holds.
pub trait Payload: Sized {
    /// Reads a request's body.
    ///
    /// # Errors
    ///
    /// All problems found; the caller has to change the request.
    fn from_request(body: &[u8]) -> Result<Parsed<Self>, Invalid>;

    /// Reads a response's body.
    ///
    /// # Errors
    ///
    /// All problems found; the server does not speak this API.
    fn from_response(body: &[u8]) -> Result<Parsed<Self>, Invalid>;

    /// The bytes, mostly JSON text, or nothing if there is no body.
    fn to_body(&self) -> Option<Vec<u8>>;

    /// What the body may look like, by its media type; nothing if there is no body.
    fn contents(schemas: &mut Schemas) -> Vec<(&'static str, Schema)>;
}

impl<T: FromJson + Serialize> Payload for T {
    fn from_request(body: &[u8]) -> Result<Parsed<Self>, Invalid> {
        json::from_request(body)
    }

    fn from_response(body: &[u8]) -> Result<Parsed<Self>, Invalid> {
        json::from_response(body)
    }

    fn to_body(&self) -> Option<Vec<u8>> {
        Some(serde_json::to_vec(self).expect("wire types have string keys"))
    }

    fn contents(schemas: &mut Schemas) -> Vec<(&'static str, Schema)> {
        vec![(JSON, T::describe(schemas))]
    }
}

/// No body. One that comes nevertheless is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoBody;

impl Payload for NoBody {
    fn from_request(_: &[u8]) -> Result<Parsed<Self>, Invalid> {
        Ok(Parsed { value: Self, ignored: Vec::new() })
    }

    fn from_response(_: &[u8]) -> Result<Parsed<Self>, Invalid> {
        Ok(Parsed { value: Self, ignored: Vec::new() })
    }

    fn to_body(&self) -> Option<Vec<u8>> {
        None
    }

    fn contents(_: &mut Schemas) -> Vec<(&'static str, Schema)> {
        Vec::new()
    }
}

/// A WAV file: the answer of what gives audio (protocol.md 2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WavFile(pub Vec<u8>);

impl WavFile {
    /// What the header `Content-Type` says of it.
    pub const CONTENT_TYPE: &'static str = "audio/wav";
}

impl Payload for WavFile {
    fn from_request(body: &[u8]) -> Result<Parsed<Self>, Invalid> {
        Self::from_response(body)
    }

    fn from_response(body: &[u8]) -> Result<Parsed<Self>, Invalid> {
        Ok(Parsed { value: Self(body.to_vec()), ignored: Vec::new() })
    }

    fn to_body(&self) -> Option<Vec<u8>> {
        Some(self.0.clone())
    }

    fn contents(_: &mut Schemas) -> Vec<(&'static str, Schema)> {
        vec![(Self::CONTENT_TYPE, Schema::text("binary"))]
    }
}

/// Whatever somebody else's server has answered, passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOn(pub Vec<u8>);

impl Payload for PassedOn {
    fn from_request(body: &[u8]) -> Result<Parsed<Self>, Invalid> {
        Self::from_response(body)
    }

    fn from_response(body: &[u8]) -> Result<Parsed<Self>, Invalid> {
        Ok(Parsed { value: Self(body.to_vec()), ignored: Vec::new() })
    }

    fn to_body(&self) -> Option<Vec<u8>> {
        Some(self.0.clone())
    }

    fn contents(_: &mut Schemas) -> Vec<(&'static str, Schema)> {
        vec![(ANY_KIND, Schema::any())]
    }
}

/// A form that may come in the place of a JSON body: what HTML and file uploads send. How its fields are read is the HTTP side's.
pub trait Form {
    /// What the form looks like, and its media type; nothing if there is none.
    fn form(schemas: &mut Schemas) -> Option<(&'static str, Schema)>;

    /// What answers it, if that is not what answers a body.
    fn answer(_: &mut Schemas) -> Option<Schema> {
        None
    }
}

/// No form.
impl Form for () {
    fn form(_: &mut Schemas) -> Option<(&'static str, Schema)> {
        None
    }
}

/// The media type of forms with files in them.
pub const MULTIPART: &str = "multipart/form-data";
/// The media type of what may have any.
pub const ANY_KIND: &str = "*/*";
/// The media type of all bodies that are nothing else.
pub const JSON: &str = "application/json";

/// No parameters. Those that come nevertheless are ignored, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoQuery;

impl DescribeFields for NoQuery {
    fn describe_fields(_: &mut Schemas) -> Object {
        Object::default()
    }
}

impl Describe for NoQuery {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("object")
    }
}

impl FromJson for NoQuery {
    fn from_json(value: &serde_json::Value, reader: &mut Reader) -> Option<Self> {
        json::Fields::open(value, reader)?.close(reader);
        Some(Self)
    }
}

impl Serialize for NoQuery {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JsonObject::new().serialize(serializer)
    }
}

/// The arguments in an endpoint's path, in the order of the template.
pub trait PathArguments: Sized {
    /// Reads the decoded arguments.
    ///
    /// # Errors
    ///
    /// The argument that is none. No such resource can exist, so the answer is 404.
    fn parse<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError>;

    /// The path with the arguments in their places.
    fn fill(&self, template: &str) -> String;

    /// What each argument looks like.
    fn describe_arguments(schemas: &mut Schemas) -> Vec<Schema>;
}

/// A path that no resource can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The route gives fewer arguments than the endpoint has.
    #[error("the path lacks an argument")]
    Missing,
    /// An argument is no id.
    #[error("{0}")]
    NoId(String),
}

impl PathArguments for () {
    fn parse<'a>(_: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError> {
        Ok(())
    }

    fn fill(&self, template: &str) -> String {
        template.into()
    }

    fn describe_arguments(_: &mut Schemas) -> Vec<Schema> {
        Vec::new()
    }
}

/// One argument. Ids need no percent-encoding.
impl<T: PathArgument> PathArguments for T {
    fn parse<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError> {
        argument(&mut arguments.into_iter())
    }

    fn fill(&self, template: &str) -> String {
        put(template, self)
    }

    fn describe_arguments(schemas: &mut Schemas) -> Vec<Schema> {
        vec![T::describe(schemas)]
    }
}

/// Two arguments.
impl<T: PathArgument, U: PathArgument> PathArguments for (T, U) {
    fn parse<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError> {
        let mut arguments = arguments.into_iter();
        Ok((argument(&mut arguments)?, argument(&mut arguments)?))
    }

    fn fill(&self, template: &str) -> String {
        put(&put(template, &self.0), &self.1)
    }

    fn describe_arguments(schemas: &mut Schemas) -> Vec<Schema> {
        vec![T::describe(schemas), U::describe(schemas)]
    }
}

/// Three arguments.
impl<T: PathArgument, U: PathArgument, V: PathArgument> PathArguments for (T, U, V) {
    fn parse<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError> {
        let mut arguments = arguments.into_iter();
        Ok((argument(&mut arguments)?, argument(&mut arguments)?, argument(&mut arguments)?))
    }

    fn fill(&self, template: &str) -> String {
        put(&put(&put(template, &self.0), &self.1), &self.2)
    }

    fn describe_arguments(schemas: &mut Schemas) -> Vec<Schema> {
        vec![T::describe(schemas), U::describe(schemas), V::describe(schemas)]
    }
}

/// An id that stands in a path.
pub trait PathArgument: fmt::Display + FromStr<Err: fmt::Display> + Describe {}

/// A place in a list, counted from 0.
impl PathArgument for u32 {}

fn argument<'a, T: PathArgument>(arguments: &mut impl Iterator<Item = &'a str>) -> Result<T, PathError> {
    let text = arguments.next().ok_or(PathError::Missing)?;
    text.parse().map_err(|error: T::Err| PathError::NoId(error.to_string()))
}

/// Puts an argument in the place of the first one in braces.
fn put(template: &str, argument: &impl fmt::Display) -> String {
    let Some((before, rest)) = template.split_once('{') else {
        return template.into();
    };
    let after = rest.split_once('}').map_or("", |(_, after)| after);
    format!("{before}{argument}{after}")
}
