//! Tools in memory.

use antiphon_api::{CallId, ToolId};

use super::super::catalog::MANY;
use super::super::{
    AccountId, CallPlace, Pending, Slice, StoredCall, StoredTool, ToolStore, ToolUse, Window,
};
use super::{Kept, Memory, slice};

impl ToolStore for Memory {
    fn insert_tools<'a>(
        &'a self,
        account: AccountId,
        tools: &'a [StoredTool],
        most: u32,
    ) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let own = contents.tools.iter().filter(|tool| tool.account == account).count();
            let fits = own + tools.len() <= most as usize;
            if fits {
                contents.tools.extend_from_slice(tools);
                contents.tools.sort_by_key(|tool| (tool.created, tool.id));
            }
            Ok(fits)
        })
    }

    fn find_tool(&self, account: AccountId, id: ToolId) -> Pending<'_, Option<StoredTool>> {
        self.at_once(|contents| {
            Ok(contents.tools.iter().find(|tool| tool.id == id && tool.account == account).cloned())
        })
    }

    fn tools(&self, account: AccountId) -> Pending<'_, Vec<StoredTool>> {
        self.at_once(|contents| {
            Ok(contents.tools.iter().filter(|tool| tool.account == account).cloned().collect())
        })
    }

    fn tools_named<'a>(&'a self, account: AccountId, name: &'a str) -> Pending<'a, Vec<StoredTool>> {
        self.at_once(|contents| {
            let named = contents.tools.iter().filter(|tool| tool.account == account && tool.name == name);
            Ok(named.take(2).cloned().collect())
        })
    }

    fn update_tool<'a>(&'a self, tool: &'a StoredTool) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let is_it = |known: &&mut StoredTool| known.id == tool.id && known.account == tool.account;
            let Some(known) = contents.tools.iter_mut().find(is_it) else { return Ok(false) };
            known.name.clone_from(&tool.name);
            known.definition = tool.definition.clone();
            Ok(true)
        })
    }

    fn delete_tool(&self, account: AccountId, id: ToolId) -> Pending<'_, bool> {
        self.at_once(|contents| {
            let before = contents.tools.len();
            contents.tools.retain(|tool| tool.id != id || tool.account != account);
            Ok(contents.tools.len() < before)
        })
    }

    fn note_uses<'a>(&'a self, call: CallId, uses: &'a [ToolUse]) -> Pending<'a, ()> {
        self.at_once(|contents| {
            let kept = contents.kept_mut(call)?;
            for used in uses {
                if kept.uses.iter().all(|(known, _)| known.name != used.name) {
                    kept.uses.push((used.clone(), 0));
                }
            }
            Ok(())
        })
    }

    fn uses(&self, call: CallId) -> Pending<'_, Vec<ToolUse>> {
        self.at_once(|contents| {
            let uses = contents.calls.get(&call).into_iter().flat_map(|kept| &kept.uses);
            Ok(uses.map(|(used, _)| used.clone()).collect())
        })
    }

    fn tool_history(
        &self,
        account: AccountId,
        tool: ToolId,
        window: Window<CallPlace>,
    ) -> Pending<'_, Slice<(StoredCall, u32)>> {
        self.at_once(|contents| {
            let mut calls: Vec<&Kept> = contents.history(account, tool).collect();
            calls.sort_unstable_by_key(|kept| (kept.call.created, kept.call.id));
            calls.reverse();
            let after = window.after.map(|after| (after.created, after.id));
            let place = |kept: &Kept| (kept.call.created, kept.call.id);
            let own = calls.partition_point(|kept| after.is_some_and(|after| place(kept) > after));
            let behind = calls.partition_point(|kept| after.is_some_and(|after| place(kept) >= after));
            let errors = |kept: &Kept| {
                kept.uses.iter().filter(|(used, _)| used.tool == tool).map(|(_, errors)| errors).sum()
            };
            Ok(slice(&calls, &window, own..behind).map(|kept| (kept.call.clone(), errors(kept))))
        })
    }

    fn count_tool_history(&self, account: AccountId, tool: ToolId) -> Pending<'_, Option<u64>> {
        self.at_once(|contents| {
            let count = contents.history(account, tool).count() as u64;
            Ok((count <= MANY.into()).then_some(count))
        })
    }
}

impl super::Contents {
    fn history(&self, account: AccountId, tool: ToolId) -> impl Iterator<Item = &Kept> {
        let had = move |kept: &&Kept| kept.uses.iter().any(|(used, _)| used.tool == tool);
        self.calls.values().filter(move |kept| kept.call.account == account).filter(had)
    }
}
