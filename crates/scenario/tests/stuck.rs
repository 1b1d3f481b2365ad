//! A scenario that nothing can interrupt. Alone in its program, since its thread ends only with that.

use std::time::Duration;

use antiphon_scenario::{Cause, Command, File, Host, Limits, Notice, Setup, Voice, run};

/// A host where nothing ever happens.
struct Nothing(Vec<Command>);

impl Host for Nothing {
    fn carry_out(&mut self, command: Command) {
        self.0.push(command);
    }

    async fn next(&mut self) -> Notice {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_session_whose_scenario_is_stuck_ends_without_it() {
    // Two million comparisons of a million characters each, in one call of a native function.
    let source = "VoxEngine.callPSTN('1', '2');
        setTimeout(() => 'a'.repeat(3e6).indexOf('a'.repeat(1e6) + 'b'), 100);";
    let setup = Setup {
        files: vec![File { name: "stuck.js".to_owned(), source: source.to_owned() }],
        limits: Limits {
            callback: Duration::from_secs(1),
            stuck: Duration::from_secs(2),
            ..Limits::default()
        },
        ..Setup::default()
    };
    let (mut host, mut log) = (Nothing(Vec::new()), Vec::new());
    let mut keep = |_, voice, text: &str| log.push((voice, text.to_owned()));
    let outcome =
        run(setup, &mut host, &mut keep, std::future::pending()).await.expect("a thread can be had");
    assert_eq!((outcome.cause, outcome.errors), (Cause::CallbackTooLong, 1));
    assert_eq!(host.0.len(), 1, "{:?} {log:?}", host.0);
    assert!(log.iter().any(|(voice, text)| *voice == Voice::Error && text.contains("stuck")), "{log:?}");
}
