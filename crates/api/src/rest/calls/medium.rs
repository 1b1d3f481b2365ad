//! How a call's audio travels: every medium there is (protocol.md 2.5).

use super::data_messages::EnabledDataMessages;
use crate::duration::WireDuration;
use crate::json::check::{Chars, Positive, Within};
use crate::json::{JsonObject, choice, record, words};
use crate::sample_rate::SampleRate;
use crate::secret::Secret;

choice! {
    /// A call's medium: one of these, or none for the server's default.
    pub optional enum CallMedium {
        /// WebRTC, signalled over the join URL.
        web_rtc: WebRtc(WebRtcMedium),
        /// Twilio's Media Streams.
        twilio: Twilio(PhoneMedium),
        /// PCM and data messages on one WebSocket.
        server_web_socket: ServerWebSocket(ServerWebSocketMedium),
        /// Telnyx's media streaming.
        telnyx: Telnyx(PhoneMedium),
        /// Plivo's audio streams.
        plivo: Plivo(PhoneMedium),
        /// Exotel's Voicebot.
        exotel: Exotel(ExotelMedium),
        /// SIP and RTP.
        sip: Sip(SipDirection),
    }
}

record! {
    /// WebRTC.
    #[derive(Default)]
    pub struct WebRtcMedium {
        /// Which messages the client is sent.
        data_messages: Option<EnabledDataMessages>,
    }
}

record! {
    /// PCM and data messages on one WebSocket.
    pub struct ServerWebSocketMedium {
        /// Samples per second of the user's audio.
        input_sample_rate: SampleRate,
        /// Samples per second of the agent's audio; the same as of the user's if absent.
        output_sample_rate: Option<SampleRate>,
        /// Milliseconds of audio that the client holds unplayed, 1 to 600000; 60 if absent.
        client_buffer_size_ms: Option<u32> where Within(1, 600_000),
        /// Which messages the client is sent.
        data_messages: Option<EnabledDataMessages>,
        /// How long no audio may come before the call ends; for ever if absent. Less than 10s acts as 10s.
        media_idle_timeout: Option<WireDuration> where Positive,
    }
}

record! {
    /// A telephony provider that either streams a call here or is asked to place one.
    #[derive(Default)]
    pub struct PhoneMedium {
        /// The call to place; the provider streams one of its own if absent.
        outgoing: Option<OutgoingPhoneCall>,
        /// What becomes of digits; they are sent to the agent at once if absent.
        dtmf_handling: Option<DtmfHandling>,
    }
}

record! {
    /// A phone call to place.
    pub struct OutgoingPhoneCall {
        /// Whom to call: a number in E.164, or what else the provider takes.
        to: String where Chars(1, 2000),
        /// Who calls.
        from: String where Chars(1, 200),
        /// Merged into the request to the provider.
        additional_params: Option<JsonObject>,
    }
}

record! {
    /// Exotel's Voicebot.
    #[derive(Default)]
    pub struct ExotelMedium {
        /// What becomes of digits; they are sent to the agent at once if absent.
        dtmf_handling: Option<DtmfHandling>,
    }
}

record! {
    /// What becomes of the digits that a caller presses.
    #[derive(Default)]
    pub struct DtmfHandling {
        /// Whether they are dropped.
        ignore: Option<bool>,
        /// How they are told to the agent.
        user_text_message: Option<DtmfUserTextMessage>,
    }
    where |handling, reader| {
        if handling.ignore == Some(true) && handling.user_text_message.is_some() {
            reader.refuse("has \"ignore\" and \"userTextMessage\"; keep one");
        }
    }
}

record! {
    /// How digits are told to the agent.
    #[derive(Default)]
    pub struct DtmfUserTextMessage {
        /// A template in which `{digits}` stands for the digits; `{digits}` alone if absent or empty.
        text: Option<String>,
        /// How urgent they are; immediate if absent.
        urgency: Option<MessageUrgency>,
    }
}

words! {
    /// How urgent a text message is, as REST spells it.
    pub enum MessageUrgency {
        /// It interrupts.
        Immediate = "URGENCY_IMMEDIATE" | "immediate",
        /// It is answered in its turn.
        Soon = "URGENCY_SOON" | "soon",
        /// It waits for the next answer.
        Later = "URGENCY_LATER" | "later",
    }
    unset "URGENCY_UNSPECIFIED"
}

choice! {
    /// A call over SIP.
    pub enum SipDirection {
        /// The call comes in.
        incoming: Incoming(SipIncoming),
        /// The server calls.
        outgoing: Outgoing(SipOutgoing),
    }
}

record! {
    /// A call that comes in over SIP.
    #[derive(Default)]
    pub struct SipIncoming {}
}

record! {
    /// A call to place over SIP.
    pub struct SipOutgoing {
        /// Whom to call: a SIP URI. A missing `sip:` is tolerated (protocol.md 10.1, 3).
        to: String where Chars(1, 2000),
        /// Who calls.
        from: Option<String>,
        /// The user name to authenticate with.
        username: Option<String>,
        /// The password to authenticate with. Never returned.
        password: Option<Secret>,
    }
}

impl CallMedium {
    /// Whether the server places the call itself, so that nobody has to join it.
    #[must_use]
    pub fn is_outgoing(&self) -> bool {
        match self {
            Self::Twilio(phone) | Self::Telnyx(phone) | Self::Plivo(phone) => phone.outgoing.is_some(),
            Self::Sip(SipDirection::Outgoing(_)) => true,
            Self::Sip(SipDirection::Incoming(_))
            | Self::Exotel(_)
            | Self::ServerWebSocket(_)
            | Self::WebRtc(_) => false,
        }
    }

    /// The same, as it may be returned.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let mut medium = self.clone();
        if let Self::Sip(SipDirection::Outgoing(outgoing)) = &mut medium {
            outgoing.password = None;
        }
        medium
    }
}
