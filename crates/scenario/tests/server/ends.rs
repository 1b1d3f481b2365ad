//! The ends of calls and clients, and what else comes from outside.

use std::time::Duration;

use antiphon_audio::SampleRate;
use antiphon_scenario::{Cause, WavParty};

use crate::stand::{Cast, Stand};

const SCRIPT: &str = "
pace: 0
greeting: { say: Hello. }
default: { say: Pardon? }
";

fn silent() -> Box<WavParty> {
    Box::new(WavParty::new(SampleRate::EAR, vec![0; 1_600], Duration::from_secs(3)))
}

fn calling() -> Cast {
    Cast { caller: Some(silent()), callees: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_server_does_not_know_rejects_the_client_with_its_words() {
    let stand = Stand::start(&[], SCRIPT).await;
    let source = "require(Modules.Ultravox);
        VoxEngine.addEventListener(AppEvents.CallAlerting, async ({call}) => {
            for (const parameters of [
                {endpoint: 'CreateCall', authorizations: {'X-API-Key': 'wrong'}},
                {endpoint: 'CreateCall', authorizations: {}},
                {endpoint: 'CreateAgentCall', pathParameters: {agent_id: '00000000-0000-4000-8000-000000000000'},
                 authorizations: {'x-api-key': VoxEngine.getSecretValue('ULTRAVOX_API_KEY')}},
                {endpoint: 'CreateCall', body: {maxDuration: 'long'}, authorizations: {'x-api-key': VoxEngine.getSecretValue('ULTRAVOX_API_KEY')}},
                {endpoint: 'JoinCall', joinUrl: 'ws://elsewhere.example/calls/1'},
                {endpoint: 'JoinCall', joinUrl: VoxEngine.getSecretValue('URL').replace('http', 'ws') + '/calls/00000000-0000-4000-8000-000000000000'},
            ]) {
                await Ultravox.createWebSocketAPIClient(parameters).then(
                    (client) => client.addEventListener(Ultravox.WebSocketAPIEvents.Unknown, () => {}),
                    (error) => Logger.write(error.message));
            }
            setTimeout(VoxEngine.terminate, 500);
        });";
    let story = stand.run(source, "", calling()).await;
    let said = story.said();
    for (line, words) in
        said.iter().zip(["status 401", "API key", "status 404", "status 400", "there is nothing else"])
    {
        assert!(line.contains(words), "{words}: {said:#?}");
    }
    assert!(story.outcome.is_good(), "{:#?}", story.log);
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_hangs_up_is_told_as_a_normal_close() {
    let stand = Stand::start(&[], SCRIPT).await;
    let source = "require(Modules.Ultravox);
        VoxEngine.addEventListener(AppEvents.CallAlerting, async ({call}) => {
            call.answer();
            const client = await Ultravox.createWebSocketAPIClient({
                endpoint: 'CreateCall', authorizations: {'X-API-Key': VoxEngine.getSecretValue('ULTRAVOX_API_KEY')}, body: {},
                onWebSocketClose: ({code, reason, wasClean}) => { Logger.write(`${code} ${reason} ${wasClean}`); call.hangup(); },
            });
            call.addEventListener(CallEvents.Disconnected, ({internalCode, reason}) => {
                Logger.write(`${internalCode} ${reason} ${call.state()}`); VoxEngine.terminate();
            });
            VoxEngine.sendMediaBetween(call, client);
            client.addEventListener(Ultravox.WebSocketAPIEvents.State, () => client.hangUp({message: 'Bye.'}));
        });";
    let story = stand.run(source, "", calling()).await;
    assert_eq!(
        story.said(),
        ["1000 call ended true", "200 Normal call clearing TERMINATED"],
        "{:#?}",
        story.log
    );
    assert!(story.outcome.is_good());
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_requests_and_timers_reach_the_scenario() {
    let stand = Stand::start(&[], SCRIPT).await;
    let source = "VoxEngine.addEventListener(AppEvents.CallAlerting, async ({call}) => {
            const answer = await Net.httpRequestAsync('https://example.com/before');
            Logger.write(`${answer.code} ${answer.text}`);
            call.addEventListener(CallEvents.ToneReceived, ({tone}) => {
                Logger.write(tone);
                if (tone === '#') setTimeout(() => { call.sendDigits('12'); setTimeout(() => call.hangup(), 500); }, 100);
            });
            call.addEventListener(CallEvents.Disconnected, () => VoxEngine.terminate());
            call.handleTones(true);
            call.answer();
        });
        VoxEngine.addEventListener(AppEvents.Terminating, () => Net.httpRequest('https://example.com/after', ({text}) => Logger.write(text)));";
    let heard = stand.file("keys.wav");
    let presses = vec![(Duration::from_millis(300), '#'), (Duration::from_millis(100), '5')];
    let caller = WavParty::new(SampleRate::EAR, Vec::new(), Duration::from_secs(30))
        .pressing(presses)
        .recording(&heard)
        .unwrap();
    let story = stand.run(source, "", Cast { caller: Some(Box::new(caller)), callees: Vec::new() }).await;
    assert_eq!(story.said(), ["200 https://example.com/before", "5", "#", "https://example.com/after"]);
    assert!(story.outcome.is_good(), "{:#?}", story.log);
    let recorded = crate::stand::read(&heard).samples;
    let sounding = recorded.iter().filter(|sample| sample.unsigned_abs() > 100).count();
    assert!((2_800..3_400).contains(&sounding), "two keys of 100 ms at 16 kHz: {sounding}");
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_cuts_neither_the_sound_nor_the_end() {
    let stand = Stand::start(&[], SCRIPT).await;
    let source = "VoxEngine.addEventListener(AppEvents.CallAlerting, ({call}) => {
            call.answer();
            call.addEventListener(CallEvents.Connected, () => { for (;;); });
        });";
    let heard = stand.file("loop.wav");
    let caller =
        WavParty::new(SampleRate::EAR, vec![0; 16_000], Duration::from_secs(30)).recording(&heard).unwrap();
    let story = stand.run(source, "", Cast { caller: Some(Box::new(caller)), callees: Vec::new() }).await;
    assert_eq!(story.outcome.cause, Cause::CallbackTooLong, "{:#?}", story.log);
    let length = crate::stand::read(&heard).samples.len();
    assert!(length >= 14_400, "the call went on while the loop ran: {length}");
    stand.stop().await;
}
