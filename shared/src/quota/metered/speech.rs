use std::time::Duration;

use tokio::time::timeout;

use super::{Admitted, Answer, Call, MeteredLlm, meter::Meter, open::Open};
use crate::{
    llm::{
        self, Usage,
        providers::Speakers,
        speech::{Audio, SpeechRequest},
    },
    models::{Timestamp, UsageEntry},
    quota::Error,
    store::organizations::day_of,
};

impl MeteredLlm {
    /// How long a speaker is waited for: OpenAI takes 46 s for the longest text.
    pub const LONGEST_SPEECH: Duration = Duration::from_secs(120);

    /// The same with those who can speak.
    #[must_use]
    pub fn with_speakers(self, speakers: Speakers) -> Self {
        Self { speakers, ..self }
    }

    /// Has a voice speak a text, on the same terms as [`MeteredLlm::chat`]. What it uses is known
    /// beforehand, so that the bill is what was reserved, also for a call of unknown outcome.
    ///
    /// # Errors
    /// As [`MeteredLlm::chat`]; [`Error::UnknownModel`] also when nobody here has the voice.
    pub async fn speak(&self, call: &Call<SpeechRequest>) -> Result<Answer<Audio>, Error> {
        self.beside(self.clone().speak_now(call)).await
    }

    async fn speak_now(self, call: &Call<SpeechRequest>) -> Result<Answer<Audio>, Error> {
        let request = &call.request;
        let unknown = || Error::UnknownModel(request.voice().model().to_owned());
        let speaker = self.speakers.get(request.voice().speaker());
        let speaker = speaker.ok_or_else(unknown)?;
        let now = Timestamp::from(self.clock.now());
        let cost = request.cost_micro_usd(&day_of(now)).ok_or_else(unknown)?;
        self.switches.check(&call.org_id).await?;
        let usage = request.usage();
        let (model, key) = (request.voice().model(), request.idempotency_key());
        let entry = UsageEntry {
            cost_micro_usd: cost,
            ..call.entry(model, key, &usage, now)
        };
        let admission = self.admissions.reserve(&entry).await?;
        let price = None;
        let meter = Meter::of_whole(Usage {
            is_estimated: true,
            ..usage
        });
        let open = Open::new(self, Admitted { admission, price }, meter);
        let audio = timeout(Self::LONGEST_SPEECH, speaker.speak(request)).await;
        let audio = audio.unwrap_or_else(|late| Err(llm::Error::Timeout(late.into())));
        open.end(audio, |_| usage).await
    }
}
