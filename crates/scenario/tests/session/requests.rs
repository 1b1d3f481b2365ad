//! `Net`: HTTP requests and what comes of them.

use antiphon_scenario::{Body, Command, HttpAnswer, HttpRequest, Notice, RequestId};

use crate::stand::Stand;

fn request(call: &str) -> HttpRequest {
    let mut stand = Stand::started(&format!("{call};"));
    match stand.command() {
        Command::Request { http, .. } => http,
        other => panic!("{other:?}"),
    }
}

fn refused(call: &str) -> String {
    let source = format!("(async () => {call})().catch((error) => Logger.write(`${{error}}`));");
    Stand::started(&source).said()[0].to_owned()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn options_become_a_request() {
    let http = request("Net.httpRequestAsync('https://example.com/a')");
    assert_eq!(
        (&*http.method, &http.body, http.timeout_ms, http.connect_timeout_ms),
        ("GET", &None, 90_000, 6_000)
    );

    let http = request(
        "Net.httpRequestAsync('https://example.com/a', {method: 'post', headers: {A: 'b', N: 1}, params: {q: 'x y'},
            postData: 'text', timeout: 10, connectionTimeout: 0.5, rawOutput: true})",
    );
    assert_eq!(&*http.method, "POST");
    assert_eq!(http.headers, pairs(&[("A", "b"), ("N", "1")]));
    assert_eq!(http.params, pairs(&[("q", "x y")]));
    assert_eq!(http.body, Some(Body::Text("text".to_owned())));
    assert_eq!((http.timeout_ms, http.connect_timeout_ms, http.raw), (10_000, 500, true));

    let http =
        request("Net.httpRequest('https://h/', () => {}, {headers: ['A: b', 'C:d:e'], postData: [0, 255]})");
    assert_eq!(http.headers, pairs(&[("A", "b"), ("C", "d:e")]));
    assert_eq!(http.body, Some(Body::Base64("AP8=".to_owned())));
    let http = request("Net.httpRequestAsync('https://h/', {postData: {a: 1, b: 'c d'}})");
    assert_eq!(http.body, Some(Body::Form(pairs(&[("a", "1"), ("b", "c d")]))));
}

#[test]
fn wrong_options_name_the_field_and_the_remedy() {
    let at = "TypeError: Net.httpRequestAsync: ";
    for (arguments, problem) in [
        ("", "the URL must be a string that is not empty, not undefined"),
        ("'u', 'GET'", "options must be an object, not the string \"GET\""),
        (
            "'u', {method: 'FETCH'}",
            "method must be one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS, not the string \"FETCH\"",
        ),
        ("'u', {timeout: 91}", "timeout must be a number from 0.001 to 90, not 91"),
        ("'u', {timeout: '5'}", "timeout must be a number from 0.001 to 90, not the string \"5\""),
        ("'u', {connectionTimeout: 7}", "connectionTimeout must be a number from 0.001 to 6, not 7"),
        (
            "'u', {headers: ['nonsense']}",
            "headers[0] must be of the form \"Name: value\", not the string \"nonsense\"",
        ),
        ("'u', {postData: 5}", "postData must be a string, an array of bytes or an object, not 5"),
        ("'u', {postData: [256]}", "each byte of postData must be a whole number from 0 to 255, not 256"),
        ("'u', {rawOutput: 1}", "rawOutput must be true or false, not 1"),
    ] {
        assert_eq!(refused(&format!("Net.httpRequestAsync({arguments})")), format!("{at}{problem}"));
    }
    assert_eq!(
        refused("Net.httpRequest('u')"),
        "TypeError: Net.httpRequest: the callback must be a function, not undefined"
    );
}

#[test]
fn an_answer_has_text_headers_and_bytes() {
    let source = "Net.httpRequestAsync('https://h/').then((answer) => {
            Logger.write(JSON.stringify(answer));
            Logger.write(JSON.stringify(answer.data));
        });";
    let mut stand = Stand::started(source);
    stand.answered(1, 200, "aé");
    assert_eq!(
        stand.said(),
        [
            r#"{"code":200,"headers":[{"key":"content-type","value":"text/plain"}],"raw_headers":"content-type: text/plain","text":"aé"}"#,
            "[97,195,169]"
        ]
    );
}

#[test]
fn raw_bytes_come_as_bytes() {
    let source = "Net.httpRequestAsync('https://h/', {rawOutput: true}).then(({text, data}) => Logger.write(`${text} ${data}`));";
    let mut stand = Stand::started(source);
    let answer = HttpAnswer {
        code: 200,
        text: None,
        base64: Some("AAH/".to_owned()),
        headers: Vec::new(),
        error: None,
    };
    stand.tell(Notice::Answered { request: RequestId::new(1), answer });
    assert_eq!(stand.said(), ["undefined 0,1,255"]);
}

#[test]
fn a_request_that_fails_resolves_with_a_code_that_is_not_positive() {
    let source = "Net.httpRequestAsync('https://h/').then(({code, error, text}) => Logger.write(`${code} ${error} ${text}`));";
    let mut stand = Stand::started(source);
    stand
        .tell(Notice::Answered { request: RequestId::new(1), answer: HttpAnswer::failed("nobody is there") });
    assert_eq!(stand.said(), ["0 nobody is there undefined"]);
    assert_eq!(stand.errors(), [""; 0]);
}

#[test]
fn three_requests_are_under_way_and_35_may_wait() {
    let source = "let n = 0;
        try { for (;;) { Net.httpRequest(`https://h/${n}`, () => {}); n++; } } catch (error) { Logger.write(`${n} ${error.message}`); }";
    let mut stand = Stand::started(source);
    let sent = |stand: &mut Stand| stand.commands().len();
    assert_eq!(sent(&mut stand), 3);
    assert_eq!(
        stand.said(),
        [
            "35 Net.httpRequestAsync: 35 HTTP requests are under way or wait, which is the most; wait for answers first"
        ]
    );
    stand.answered(1, 200, "");
    stand.answered(1, 200, "");
    assert_eq!(sent(&mut stand), 1);
}
