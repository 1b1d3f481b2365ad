//! What every database must do for corpora and for what is found in them. Each function is one story on an empty store.

use antiphon_api::rest::corpora::{CorpusDocumentMetadata, CrawlSpec, SourceSpec, UploadSpec};
use antiphon_api::{CorpusDocumentId, CorpusId, CorpusSourceId};
use antiphon_server::storage::{
    AccountId, Contents, CorpusPlace, CorpusStatistics, Direction, DocumentPlace, Filling, Found, Passage,
    Storage, StoredCorpus, StoredDocument, StoredSource, StoredUpload, Wanted, Window,
};
use uuid::Uuid;

use crate::contract::{account, at};

/// More than any story keeps.
const MANY: u32 = 1_000;

pub(crate) async fn a_corpus_comes_back_as_it_was_kept_and_only_to_its_account(storage: &Storage) {
    let store = &storage.corpora;
    let corpus = corpus(storage, 1, 5).await;
    assert!(store.insert_corpus(&corpus, MANY).await.unwrap());
    assert!(store.insert_corpus(&corpus, MANY).await.is_err(), "an id is used once");
    assert_eq!(store.find_corpus(corpus.account, corpus.id).await.unwrap(), Some(corpus.clone()));

    let stranger = AccountId(Uuid::from_u128(77));
    let theirs = StoredCorpus { account: stranger, name: "Mine now".to_owned(), ..corpus.clone() };
    assert_eq!(store.find_corpus(stranger, corpus.id).await.unwrap(), None);
    assert!(!store.update_corpus(&theirs).await.unwrap());
    assert!(!store.delete_corpus(stranger, corpus.id).await.unwrap());
    assert_eq!(store.count_corpora(stranger).await.unwrap(), 0);

    let renamed =
        StoredCorpus { name: "Café".to_owned(), description: "All of it".to_owned(), ..corpus.clone() };
    assert!(store.update_corpus(&renamed).await.unwrap());
    assert_eq!(store.find_corpus(corpus.account, corpus.id).await.unwrap(), Some(renamed));
    assert!(store.delete_corpus(corpus.account, corpus.id).await.unwrap());
    assert!(!store.delete_corpus(corpus.account, corpus.id).await.unwrap());
    assert_eq!(store.find_corpus(corpus.account, corpus.id).await.unwrap(), None);
    assert!(store.insert_corpus(&corpus, MANY).await.unwrap(), "what is gone leaves nothing in the way");
}

pub(crate) async fn corpora_sources_and_documents_are_walked_both_ways(storage: &Storage) {
    let account = account(storage).await;
    for (number, created) in [(1, 10), (2, 20), (3, 20), (4, 30), (5, 40)] {
        let corpus = corpus(storage, number, created).await;
        storage.corpora.insert_corpus(&corpus, MANY).await.unwrap();
        let source = source(1, 100 + number, created);
        storage.corpora.insert_source(&source, MANY).await.unwrap();
    }
    let source = CorpusSourceId::new(Uuid::from_u128(101));
    for (number, created) in [(5, 10), (4, 20), (3, 20), (2, 30), (1, 40)] {
        let document = StoredDocument { created: at(created), ..document(1, 101, number) };
        put(storage, &document, &[]).await;
    }
    let corpora = async |after, direction| {
        let window = Window { after, direction, limit: 2 };
        let slice = storage.corpora.corpora(account, window).await.unwrap();
        let places: Vec<CorpusPlace> = slice.items.iter().map(StoredCorpus::place).collect();
        (slice.items.iter().map(|corpus| corpus.id.uuid().as_u128()).collect::<Vec<_>>(), places, slice.more)
    };
    let sources = async |after, direction| {
        let window = Window { after, direction, limit: 2 };
        let slice = storage.corpora.sources(corpus_id(1), window).await.unwrap();
        let places: Vec<CorpusPlace> = slice.items.iter().map(StoredSource::place).collect();
        (
            slice.items.iter().map(|source| source.id.uuid().as_u128() - 100).collect::<Vec<_>>(),
            places,
            slice.more,
        )
    };
    macro_rules! walked {
        ($list:ident, $all:expr) => {
            let all: [u128; 5] = $all;
            let (first, places, more) = $list(None, Direction::Forward).await;
            assert_eq!((&first[..], more), (&all[..2], true));
            let (second, places, _) = $list(places.last().copied(), Direction::Forward).await;
            assert_eq!(second, all[2..4]);
            let (third, places, more) = $list(places.last().copied(), Direction::Forward).await;
            assert_eq!((&third[..], more), (&all[4..], false));
            let (back, places, more) = $list(places.first().copied(), Direction::Backward).await;
            assert_eq!((&back[..], more), (&all[2..4], true));
            let (back, _, more) = $list(places.first().copied(), Direction::Backward).await;
            assert_eq!((&back[..], more), (&all[..2], false));
        };
    }
    walked!(corpora, [5, 4, 3, 2, 1]);
    walked!(sources, [5, 4, 3, 2, 1]);
    let documents = async |after, direction| {
        let window = Window { after, direction, limit: 2 };
        let slice = storage.passages.documents(source, window).await.unwrap();
        let places: Vec<DocumentPlace> = slice.items.iter().map(StoredDocument::place).collect();
        (slice.items.iter().map(|kept| kept.id.uuid().as_u128()).collect::<Vec<_>>(), places, slice.more)
    };
    walked!(documents, [5, 3, 4, 2, 1]);
    assert_eq!(storage.corpora.count_corpora(account).await.unwrap(), 5);
    assert_eq!(storage.corpora.count_sources(corpus_id(1)).await.unwrap(), 5);
    assert_eq!(storage.passages.count_documents(source).await.unwrap(), 5);
}

pub(crate) async fn there_are_as_many_corpora_sources_and_uploads_as_there_may_be(storage: &Storage) {
    let store = &storage.corpora;
    for (number, kept) in [(1, true), (2, true), (3, false)] {
        assert_eq!(store.insert_corpus(&corpus(storage, number, 5).await, 2).await.unwrap(), kept);
        assert_eq!(store.insert_source(&source(1, 100 + number, 5), 2).await.unwrap(), kept);
        assert_eq!(store.insert_upload(&upload(1, 200 + number), at(5), 2).await.unwrap(), kept);
    }
    assert!(!store.insert_source(&source(9, 110, 5), MANY).await.unwrap(), "there is no such corpus");
    assert!(!store.insert_upload(&upload(9, 210), at(5), MANY).await.unwrap());
    // Announcements that came to nothing make room, files that came do not.
    assert_eq!(store.fill_upload(document_id(201), b"file".to_vec(), 100).await.unwrap(), Filling::Kept);
    assert!(store.insert_upload(&upload(1, 211), at(1_000), 2).await.unwrap());
    assert!(!store.insert_upload(&upload(1, 212), at(5), 2).await.unwrap());
    assert!(store.find_upload(corpus_id(1), document_id(201)).await.unwrap().is_some());
    assert_eq!(store.find_upload(corpus_id(1), document_id(202)).await.unwrap(), None);
}

pub(crate) async fn a_file_comes_to_its_upload_and_goes_with_its_corpus(storage: &Storage) {
    let store = &storage.corpora;
    let corpus = kept_corpus(storage, 1).await;
    kept_corpus(storage, 2).await;
    let upload = upload(1, 201);
    store.insert_upload(&upload, at(5), MANY).await.unwrap();
    assert_eq!(store.find_upload_by_token(upload.token_hash).await.unwrap(), Some(upload.clone()));
    assert_eq!(store.find_upload_by_token([7; 32]).await.unwrap(), None);
    assert_eq!(store.upload_content(corpus.id, upload.id).await.unwrap(), None);

    assert_eq!(store.fill_upload(upload.id, vec![1; 60], 100).await.unwrap(), Filling::Kept);
    assert_eq!(store.fill_upload(upload.id, vec![2; 80], 100).await.unwrap(), Filling::Kept);
    assert_eq!(store.fill_upload(upload.id, vec![3; 101], 100).await.unwrap(), Filling::Full);
    assert_eq!(store.fill_upload(document_id(9), vec![3; 1], 100).await.unwrap(), Filling::Unknown);
    assert_eq!(store.upload_content(corpus.id, upload.id).await.unwrap(), Some(vec![2; 80]));
    assert_eq!(store.upload_content(corpus_id(2), upload.id).await.unwrap(), None);
    let filled = StoredUpload { size: Some(80), ..upload.clone() };
    assert_eq!(store.find_upload(corpus.id, upload.id).await.unwrap(), Some(filled));
    assert_eq!(store.find_upload(corpus_id(2), upload.id).await.unwrap(), None);

    // What the account has in all its corpora counts.
    let other = self::upload(2, 202);
    store.insert_upload(&other, at(5), MANY).await.unwrap();
    assert_eq!(store.fill_upload(other.id, vec![4; 21], 100).await.unwrap(), Filling::Full);
    store.delete_corpus(corpus.account, corpus.id).await.unwrap();
    assert_eq!(store.fill_upload(other.id, vec![4; 21], 100).await.unwrap(), Filling::Kept);
    assert_eq!(store.find_upload_by_token(upload.token_hash).await.unwrap(), None);
    assert_eq!(store.upload_content(corpus.id, upload.id).await.unwrap(), None);
}

pub(crate) async fn a_source_is_loaded_as_it_was_when_the_loading_began_or_not_at_all(storage: &Storage) {
    let store = &storage.corpora;
    kept_corpus(storage, 1).await;
    let first = source(1, 101, 5);
    store.insert_source(&first, MANY).await.unwrap();
    store.insert_source(&source(1, 102, 4), MANY).await.unwrap();
    let waiting = store.sources_to_load(true, 10).await.unwrap();
    assert_eq!(waiting, [source(1, 102, 4), first.clone()]);
    assert_eq!(store.sources_to_load(true, 1).await.unwrap().len(), 1);

    let spec = SourceSpec::Upload(UploadSpec { document_ids: vec![document_id(1)] });
    let changed = StoredSource { spec, name: "Files".to_owned(), ..first.clone() };
    assert!(store.update_source(&changed).await.unwrap());
    assert!(!store.update_source(&changed).await.unwrap(), "somebody else was faster");
    let changed = StoredSource { revision: 1, ..changed };
    assert_eq!(store.find_source(corpus_id(1), first.id).await.unwrap(), Some(changed.clone()));
    assert_eq!(store.find_source(corpus_id(2), first.id).await.unwrap(), None);

    let passages = [passage("bread", &["bread"])];
    let contents = Contents { passages: &passages, model: "" };
    let document = document(1, 101, 1);
    assert!(!storage.passages.put_document(&document, 0, contents).await.unwrap());
    assert!(!storage.passages.finish_source(first.id, 0, &[], at(9)).await.unwrap());
    assert!(storage.passages.put_document(&document, 1, contents).await.unwrap());
    assert!(storage.passages.finish_source(first.id, 1, &[document.id], at(9)).await.unwrap());
    assert!(!storage.passages.put_document(&document, 1, contents).await.unwrap(), "it is loaded");
    assert_eq!(store.sources_to_load(false, 10).await.unwrap(), []);
    let loaded = StoredSource { loading: false, updated: Some(at(9)), documents: 1, ..changed };
    assert_eq!(store.find_source(corpus_id(1), first.id).await.unwrap(), Some(loaded.clone()));
    assert_eq!(store.sources_to_load(true, 10).await.unwrap().len(), 1);
    let statistics = CorpusStatistics {
        sources: 2,
        loading: 1,
        documents: 1,
        passages: 1,
        vectors: 0,
        updated: Some(at(9)),
    };
    let account = account(storage).await;
    let corpus = store.find_corpus(account, corpus_id(1)).await.unwrap().unwrap();
    assert_eq!(corpus.statistics, statistics);

    assert!(store.update_source(&loaded).await.unwrap());
    let again = store.find_source(corpus_id(1), first.id).await.unwrap().unwrap();
    assert_eq!((again.loading, again.updated, again.revision), (true, Some(at(9)), 2));
    assert_eq!(store.sources_to_load(false, 10).await.unwrap(), [again], "it takes uploads now");
}

pub(crate) async fn a_document_takes_the_place_of_what_it_was_before(storage: &Storage) {
    kept_corpus(storage, 1).await;
    storage.corpora.insert_source(&source(1, 101, 5), MANY).await.unwrap();
    let (one, two) = (document(1, 101, 1), document(1, 101, 2));
    put(storage, &one, &[passage("Rye bread", &["rye", "bread"]), passage("Cake", &["cake"])]).await;
    put(storage, &two, &[passage("More rye", &["more", "rye"])]).await;
    assert_eq!(texts(&search(storage, 1, &["rye"]).await), ["Rye bread", "More rye"]);

    let metadata = CorpusDocumentMetadata { title: Some("Bakery".to_owned()), ..Default::default() };
    let changed = StoredDocument { metadata, size: 99, ..one.clone() };
    put(storage, &changed, &[passage("Spelt bread", &["spelt", "bread"])]).await;
    assert_eq!(storage.passages.find_document(one.source, one.id).await.unwrap(), Some(changed.clone()));
    assert_eq!(texts(&search(storage, 1, &["cake", "rye"]).await), ["More rye"]);
    let found = search(storage, 1, &["spelt"]).await;
    assert_eq!(
        (&found[0].metadata, found[0].document, found[0].source),
        (&changed.metadata, one.id, one.source)
    );

    storage.passages.finish_source(one.source, 0, &[one.id], at(9)).await.unwrap();
    assert_eq!(storage.passages.find_document(two.source, two.id).await.unwrap(), None);
    assert_eq!(search(storage, 1, &["rye"]).await, []);
    assert_eq!(storage.passages.count_documents(one.source).await.unwrap(), 1);
}

pub(crate) async fn passages_are_scored_by_their_words_as_it_is_written(storage: &Storage) {
    kept_corpus(storage, 1).await;
    kept_corpus(storage, 2).await;
    storage.corpora.insert_source(&source(1, 101, 5), MANY).await.unwrap();
    storage.corpora.insert_source(&source(2, 102, 5), MANY).await.unwrap();
    let passages = [
        passage("a", &["rye", "bread", "rye", "day"]),
        passage("b", &["bread", "day"]),
        passage("c", &["day", "hour", "day", "day", "day", "day"]),
    ];
    put(storage, &document(1, 101, 1), &passages).await;
    // What another corpus has changes nothing.
    put(storage, &document(2, 102, 1), &[passage("x", &["rye"]), passage("y", &["rye", "hour"])]).await;

    let weight = |n: f64| (1.0 + (3.0 - n + 0.5) / (n + 0.5)).ln();
    let share = |times: f64, length: f64| times / (times + 1.2 * (0.25 + 0.75 * length / 4.0));
    let (rye, bread, day, unknown) = (weight(1.0), weight(2.0), weight(3.0), weight(1.0));
    let sum = rye + bread + day + unknown;
    let expected = [
        ("a", (rye * share(2.0, 4.0) + bread * share(1.0, 4.0) + day * share(1.0, 4.0)) / sum),
        ("b", (bread * share(1.0, 2.0) + day * share(1.0, 2.0)) / sum),
        ("c", day * share(5.0, 6.0) / sum),
    ];
    let found = search(storage, 1, &["rye", "bread", "day", "unknown", "bread"]).await;
    assert_eq!(texts(&found), expected.map(|(text, _)| text));
    for (found, (text, score)) in found.iter().zip(expected) {
        assert!((found.score - score).abs() < 1e-6, "{text}: {} and not {score}", found.score);
    }
    assert!(found[0].score < 1.0);
    assert_eq!(search(storage, 1, &["unknown"]).await, []);
    assert_eq!(search(storage, 1, &[]).await, []);
    assert_eq!(search(storage, 9, &["rye"]).await, [], "there is no such corpus");
    let wanted = Wanted { words: vec!["day".to_owned()], meaning: None };
    assert_eq!(storage.passages.search(corpus_id(1), &wanted, 2).await.unwrap().len(), 2);
    // Whatever a word is, it is a word.
    for odd in ["\"", "a\" OR words:\"rye", "NEAR", "*", "ß", "営"] {
        assert_eq!(search(storage, 1, &[odd]).await, [], "{odd}");
    }
}

pub(crate) async fn passages_are_found_by_their_meaning_too(storage: &Storage) {
    kept_corpus(storage, 1).await;
    storage.corpora.insert_source(&source(1, 101, 5), MANY).await.unwrap();
    let meaning = |text: &str, word: &str, vectors: &[[f32; 3]]| Passage {
        vectors: vectors.iter().map(|vector| vector.to_vec()).collect(),
        ..passage(text, &[word])
    };
    let passages = [
        meaning("bread", "bread", &[[1.0, 0.0, 0.0]]),
        meaning("opposite", "cake", &[[-1.0, 0.0, 0.0]]),
        meaning("by its second example", "loaf", &[[0.0, 0.0, 1.0], [0.6, 0.8, 0.0]]),
        meaning("by its word", "roll", &[]),
    ];
    let contents = Contents { passages: &passages, model: "small" };
    assert!(storage.passages.put_document(&document(1, 101, 1), 0, contents).await.unwrap());
    let search = async |words: &[&str], model: &str, vector: &[f32]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let wanted = Wanted { words, meaning: Some((model.to_owned(), vector.to_vec())) };
        storage.passages.search(corpus_id(1), &wanted, 10).await.unwrap()
    };
    let found = search(&[], "small", &[2.0, 0.0, 0.0]).await;
    assert_eq!(texts(&found), ["bread", "by its second example"]);
    assert!((found[0].score - 0.7).abs() < 0.01 && (found[1].score - 0.42).abs() < 0.01, "{found:?}");

    let found = search(&["roll"], "small", &[1.0, 0.0, 0.0]).await;
    assert_eq!(texts(&found), ["bread", "by its second example", "by its word"]);
    // Vectors of another model, and of other dimensions, say nothing.
    for (model, vector) in
        [("large", &[1.0, 0.0, 0.0][..]), ("small", &[1.0, 0.0]), ("small", &[0.0, 0.0, 0.0])]
    {
        let found = search(&["roll"], model, vector).await;
        assert_eq!(texts(&found), ["by its word"], "{model} {vector:?}");
    }
    let account = account(storage).await;
    let corpus = storage.corpora.find_corpus(account, corpus_id(1)).await.unwrap().unwrap();
    assert_eq!((corpus.statistics.passages, corpus.statistics.vectors), (4, 4));
    put(storage, &document(1, 101, 1), &[passage("new", &["new"])]).await;
    assert_eq!(search(&[], "small", &[1.0, 0.0, 0.0]).await, []);
}

pub(crate) async fn common_words_of_a_large_corpus_count_where_rarer_ones_find(storage: &Storage) {
    kept_corpus(storage, 1).await;
    storage.corpora.insert_source(&source(1, 101, 5), MANY).await.unwrap();
    let words = |number: usize| {
        let hotel = (number.is_multiple_of(2) && number < 5_800).then_some("hotel");
        let room = (!number.is_multiple_of(2) && number < 5_600).then_some("room");
        let refund = (number < 20).then_some("refund");
        ["stay"].into_iter().chain(hotel).chain(room).chain(refund).collect::<Vec<_>>()
    };
    let passages: Vec<Passage> =
        (0..6_000).map(|number| passage(&number.to_string(), &words(number))).collect();
    put(storage, &document(1, 101, 1), &passages).await;

    let weight = |n: f64| (1.0 + (6_000.0 - n + 0.5) / (n + 0.5)).ln();
    let (hotel, room, refund) = (weight(2_900.0), weight(2_800.0), weight(20.0));
    let average = (6_000 + 2_900 + 2_800 + 20) as f64 / 6_000.0;
    let share = |length: f64| 1.0 / (1.0 + 1.2 * (0.25 + 0.75 * length / average));
    let score = |other: f64| (refund + other) * share(3.0) / (hotel + room + refund);
    let wanted = ["hotel", "room", "refund"].map(str::to_owned).to_vec();
    let wanted = Wanted { words: wanted, meaning: None };
    let found = storage.passages.search(corpus_id(1), &wanted, 50).await.unwrap();
    // Rooms are a little rarer than hotels; of those that fit alike, the first come first.
    for (at, found) in found.iter().enumerate().take(20) {
        let (number, other) = if at < 10 { (2 * at + 1, room) } else { (2 * (at - 10), hotel) };
        assert_eq!(found.text, number.to_string());
        assert!(
            (found.score - score(other)).abs() < 1e-6,
            "{number}: {} and not {}",
            found.score,
            score(other)
        );
    }
    let rooms = |found: &&Found| found.text.parse::<usize>().unwrap() % 2 == 1;
    assert_eq!(found.iter().skip(20).filter(rooms).count(), 30, "hotels find nothing by themselves");
}

pub(crate) async fn a_long_document_is_seen_as_a_whole_or_not_at_all(storage: &Storage) {
    kept_corpus(storage, 1).await;
    storage.corpora.insert_source(&source(1, 101, 5), MANY).await.unwrap();
    let document = document(1, 101, 1);
    let long = |word: &str| -> Vec<Passage> {
        (0..400)
            .map(|number| Passage {
                vectors: vec![vec![1.0, 0.0]],
                ..passage(&format!("{word} {number}"), &[word])
            })
            .collect()
    };
    // The word of the passages there are, if they are 400 of one kind.
    let kind = async || {
        let words = ["rye", "spelt", "oat"].map(str::to_owned).to_vec();
        let by_words = Wanted { words, meaning: None };
        let by_meaning = Wanted { words: Vec::new(), meaning: Some(("small".to_owned(), vec![1.0, 0.0])) };
        let mut kinds = Vec::new();
        for wanted in [by_words, by_meaning] {
            let found = storage.passages.search(corpus_id(1), &wanted, 1_000).await.unwrap();
            assert_eq!(found.len(), 400, "{wanted:?}");
            let word = |found: &Found| found.text.split_once(' ').unwrap().0.to_owned();
            kinds.push(word(&found[0]));
            assert!(found.iter().all(|found| word(found) == kinds[kinds.len() - 1]), "{kinds:?}");
        }
        assert_eq!(storage.passages.count_documents(document.source).await.unwrap(), 1);
        kinds
    };
    put(storage, &document, &long("rye")).await;
    assert_eq!(kind().await, ["rye", "rye"]);

    // One is put in the place of the other, while somebody asks all the time.
    let spelt = long("spelt");
    let mut putting = std::pin::pin!(put(storage, &document, &spelt));
    let mut asked = 0;
    loop {
        tokio::select! {
            () = &mut putting => break,
            _ = kind() => asked += 1,
        }
    }
    assert_eq!(kind().await, ["spelt", "spelt"], "asked {asked} times");

    // A process that ends halfway leaves nothing to be seen, and nothing in the way.
    let oat = long("oat");
    tokio::select! {
        () = put(storage, &document, &oat) => {}
        () = async { for _ in 0..20 { storage.check().await.unwrap() } } => {}
    }
    // A commit that was on its way may still arrive; whoever writes next waits for it, even in vain.
    let contents = Contents { passages: &oat, model: "small" };
    assert!(!storage.passages.put_document(&document, 1, contents).await.unwrap());
    let then = kind().await;
    assert!(then == ["spelt", "spelt"] || then == ["oat", "oat"], "{then:?}");
    put(storage, &document, &oat).await;
    assert_eq!(kind().await, ["oat", "oat"]);
    assert!(storage.passages.finish_source(document.source, 0, &[document.id], at(9)).await.unwrap());
    assert_eq!(kind().await, ["oat", "oat"]);
}

pub(crate) async fn what_is_deleted_is_found_no_more(storage: &Storage) {
    let account = account(storage).await;
    kept_corpus(storage, 1).await;
    for source in [101, 102] {
        storage.corpora.insert_source(&self::source(1, source, 5), MANY).await.unwrap();
        // One upload may be a document of several sources.
        put(storage, &document(1, source, 1), &[passage(&source.to_string(), &["rye"])]).await;
    }
    assert_eq!(search(storage, 1, &["rye"]).await.len(), 2);
    let first = CorpusSourceId::new(Uuid::from_u128(101));
    assert!(!storage.corpora.delete_source(corpus_id(2), first).await.unwrap());
    assert!(storage.corpora.delete_source(corpus_id(1), first).await.unwrap());
    assert!(!storage.corpora.delete_source(corpus_id(1), first).await.unwrap());
    assert_eq!(texts(&search(storage, 1, &["rye"]).await), ["102"]);
    let contents = Contents { passages: &[], model: "" };
    assert!(!storage.passages.put_document(&document(1, 101, 1), 0, contents).await.unwrap());
    let statistics = storage.corpora.find_corpus(account, corpus_id(1)).await.unwrap().unwrap().statistics;
    assert_eq!((statistics.sources, statistics.documents, statistics.passages), (1, 1, 1));

    assert!(storage.corpora.delete_corpus(account, corpus_id(1)).await.unwrap());
    assert_eq!(search(storage, 1, &["rye"]).await, []);
    assert_eq!(storage.corpora.sources_to_load(true, 10).await.unwrap(), []);
    kept_corpus(storage, 1).await;
    assert_eq!(search(storage, 1, &["rye"]).await, [], "a new corpus begins empty");
}

fn corpus_id(number: u128) -> CorpusId {
    CorpusId::new(Uuid::from_u128(number))
}

fn document_id(number: u128) -> CorpusDocumentId {
    CorpusDocumentId::new(Uuid::from_u128(number))
}

async fn corpus(storage: &Storage, number: u128, created: i64) -> StoredCorpus {
    StoredCorpus {
        id: corpus_id(number),
        account: account(storage).await,
        name: format!("Corpus {number}"),
        description: String::new(),
        created: at(created),
        statistics: CorpusStatistics::default(),
    }
}

async fn kept_corpus(storage: &Storage, number: u128) -> StoredCorpus {
    let corpus = corpus(storage, number, 5).await;
    assert!(storage.corpora.insert_corpus(&corpus, MANY).await.unwrap());
    corpus
}

fn source(corpus: u128, number: u128, created: i64) -> StoredSource {
    StoredSource {
        id: CorpusSourceId::new(Uuid::from_u128(number)),
        corpus: corpus_id(corpus),
        name: "Site".to_owned(),
        description: "All pages".to_owned(),
        created: at(created),
        spec: SourceSpec::Crawl(CrawlSpec {
            max_documents: Some(7),
            max_document_bytes: None,
            relevant_document_types: None,
            start_urls: vec!["https://example.com/".to_owned()],
            max_depth: None,
        }),
        revision: 0,
        loading: true,
        updated: None,
        documents: 0,
    }
}

fn upload(corpus: u128, number: u128) -> StoredUpload {
    StoredUpload {
        id: document_id(number),
        corpus: corpus_id(corpus),
        mime_type: "text/plain; charset=utf-8".to_owned(),
        file_name: "Prices (2026).txt".to_owned(),
        created: at(5),
        expires: at(300),
        token_hash: [number as u8; 32],
        size: None,
    }
}

fn document(corpus: u128, source: u128, number: u128) -> StoredDocument {
    StoredDocument {
        id: document_id(number),
        corpus: corpus_id(corpus),
        source: CorpusSourceId::new(Uuid::from_u128(source)),
        created: at(6),
        mime_type: "text/html".to_owned(),
        size: 1_234,
        metadata: CorpusDocumentMetadata::default(),
    }
}

fn passage(text: &str, words: &[&str]) -> Passage {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    Passage { text: text.to_owned(), words, vectors: Vec::new() }
}

/// Keeps a document of a source in its first revision.
async fn put(storage: &Storage, document: &StoredDocument, passages: &[Passage]) {
    let contents = Contents { passages, model: "small" };
    assert!(storage.passages.put_document(document, 0, contents).await.unwrap());
}

async fn search(storage: &Storage, corpus: u128, words: &[&str]) -> Vec<Found> {
    let wanted = Wanted { words: words.iter().map(|word| (*word).to_owned()).collect(), meaning: None };
    storage.passages.search(corpus_id(corpus), &wanted, 10).await.unwrap()
}

fn texts(found: &[Found]) -> Vec<&str> {
    found.iter().map(|found| found.text.as_str()).collect()
}
