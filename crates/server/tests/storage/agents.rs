//! What every database must do for agents. Each function is one story on an empty store.

use antiphon_api::rest::agents::CallTemplate;
use antiphon_api::{AgentId, AgentRevisionId, Secret};
use antiphon_server::storage::{
    AccountId, AgentOrder, AgentPlace, CallAgent, Direction, Storage, StoredAgent, StoredCall,
    StoredRevision, Window,
};
use uuid::Uuid;

use crate::contract::{account, at, call};

pub(crate) async fn an_agent_comes_back_as_it_was_kept_and_only_to_its_account(storage: &Storage) {
    let mut agent = agent(storage, 1, "Support", 5).await;
    agent.revision.template = CallTemplate {
        system_prompt: Some("Hi {{name}}".to_owned()),
        shared_secrets: Some(vec![Secret::new("0123456789abcdef")]),
        ..CallTemplate::default()
    };
    storage.agents.insert_agent(&agent).await.unwrap();
    assert!(storage.agents.insert_agent(&agent).await.is_err(), "an id is used once");
    assert_eq!(storage.agents.find_agent(agent.account, agent.id).await.unwrap(), Some(agent.clone()));

    let stranger = AccountId(Uuid::from_u128(77));
    let theirs = StoredAgent { account: stranger, ..agent.clone() };
    assert_eq!(storage.agents.find_agent(stranger, agent.id).await.unwrap(), None);
    assert!(!storage.agents.update_agent(&theirs, agent.revision.id).await.unwrap());
    assert!(!storage.agents.delete_agent(stranger, agent.id).await.unwrap());
    assert_eq!(storage.agents.count_agents(stranger, None).await.unwrap(), 0);

    assert!(storage.agents.delete_agent(agent.account, agent.id).await.unwrap());
    assert!(!storage.agents.delete_agent(agent.account, agent.id).await.unwrap());
    assert_eq!(storage.agents.find_agent(agent.account, agent.id).await.unwrap(), None);
}

pub(crate) async fn agents_are_searched_by_name_and_walked_in_every_order(storage: &Storage) {
    let account = account(storage).await;
    for (number, name, created) in
        [(1, "beta", 10), (2, "Alpha", 20), (3, "100% sure_thing", 20), (4, "ÄRGER", 30), (5, "alpha", 40)]
    {
        inserted(storage, number, name, created).await;
    }
    for (order, all) in [
        (AgentOrder::OldestFirst, [1, 2, 3, 4, 5]),
        (AgentOrder::NewestFirst, [5, 4, 3, 2, 1]),
        (AgentOrder::ByName, [3, 2, 5, 1, 4]),
        (AgentOrder::ByNameBackwards, [4, 1, 5, 2, 3]),
    ] {
        let page = async |after: Option<AgentPlace>, direction| {
            let window = Window { after, direction, limit: 2 };
            let slice = storage.agents.agents(account, None, order, window).await.unwrap();
            let ids: Vec<AgentId> = slice.items.iter().map(|agent| agent.id).collect();
            let places =
                (slice.items.first().map(StoredAgent::place), slice.items.last().map(StoredAgent::place));
            (ids, places, slice.more)
        };
        let all = all.map(id);
        let (first, (_, end), more) = page(None, Direction::Forward).await;
        assert_eq!((first, more), (all[..2].to_vec(), true), "{order:?}");
        let (second, (_, end), _) = page(end, Direction::Forward).await;
        assert_eq!(second, all[2..4], "{order:?}");
        let (third, (begin, _), more) = page(end, Direction::Forward).await;
        assert_eq!((third, more), (all[4..].to_vec(), false), "{order:?}");
        let (back, (begin, _), more) = page(begin, Direction::Backward).await;
        assert_eq!((back, more), (all[2..4].to_vec(), true), "{order:?}");
        let (back, _, more) = page(begin, Direction::Backward).await;
        assert_eq!((back, more), (all[..2].to_vec(), false), "{order:?}");
    }
    for (search, found) in [
        ("ALPHA", vec![2, 5]),
        ("ärg", vec![4]),
        ("100% s", vec![3]),
        ("e_t", vec![3]),
        ("1%e", vec![]),
        ("a", vec![1, 2, 5]),
    ] {
        let window = Window { after: None, direction: Direction::Forward, limit: 10 };
        let slice =
            storage.agents.agents(account, Some(search), AgentOrder::OldestFirst, window).await.unwrap();
        let ids: Vec<AgentId> = slice.items.iter().map(|agent| agent.id).collect();
        assert_eq!(ids, found.iter().copied().map(id).collect::<Vec<_>>(), "{search}");
        assert_eq!(storage.agents.count_agents(account, Some(search)).await.unwrap(), found.len() as u64);
    }
}

pub(crate) async fn a_change_publishes_a_revision_unless_another_one_came_first(storage: &Storage) {
    let agent = inserted(storage, 1, "Before", 5).await;
    let changed = |name: &str, revision| StoredAgent {
        name: name.to_owned(),
        revision: StoredRevision {
            id: AgentRevisionId::new(Uuid::from_u128(revision)),
            created: at(6),
            template: CallTemplate { system_prompt: Some(name.to_owned()), ..CallTemplate::default() },
        },
        ..agent.clone()
    };
    let (mine, theirs) = (changed("Mine", 91), changed("Theirs", 92));
    assert!(storage.agents.update_agent(&theirs, agent.revision.id).await.unwrap());
    assert!(!storage.agents.update_agent(&mine, agent.revision.id).await.unwrap());
    assert_eq!(storage.agents.find_agent(agent.account, agent.id).await.unwrap(), Some(theirs.clone()));
    assert!(storage.agents.update_agent(&mine, theirs.revision.id).await.unwrap());
    assert_eq!(storage.agents.find_agent(agent.account, agent.id).await.unwrap(), Some(mine));
}

pub(crate) async fn an_agents_calls_are_counted_and_outlive_it(storage: &Storage) {
    let agent = inserted(storage, 1, "Support", 5).await;
    let of = CallAgent { id: agent.id, name: agent.name.clone(), revision: agent.revision.id };
    let mut calls = Vec::new();
    for number in [11, 12] {
        let call = StoredCall { agent: Some(of.clone()), ..call(storage, number, at(6)).await };
        storage.calls.insert(&call).await.unwrap();
        calls.push(call);
    }
    storage.calls.insert(&call(storage, 13, at(6)).await).await.unwrap();
    let kept = storage.agents.find_agent(agent.account, agent.id).await.unwrap().unwrap();
    assert_eq!(kept.calls, 2);
    assert!(storage.agents.delete_agent(agent.account, agent.id).await.unwrap());
    assert_eq!(storage.calls.find(calls[0].id).await.unwrap().as_ref(), calls.first());
}

fn id(number: u128) -> AgentId {
    AgentId::new(Uuid::from_u128(number))
}

async fn agent(storage: &Storage, number: u128, name: &str, created: i64) -> StoredAgent {
    StoredAgent {
        id: id(number),
        account: account(storage).await,
        name: name.to_owned(),
        created: at(created),
        revision: StoredRevision {
            id: AgentRevisionId::new(Uuid::from_u128(1_000 + number)),
            created: at(created),
            template: CallTemplate::default(),
        },
        calls: 0,
    }
}

pub(crate) async fn inserted(storage: &Storage, number: u128, name: &str, created: i64) -> StoredAgent {
    let agent = agent(storage, number, name, created).await;
    storage.agents.insert_agent(&agent).await.unwrap();
    agent
}
