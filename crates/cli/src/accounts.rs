//! `antiphon accounts`: who uses the server, as its operator sees it. Works on the server's database, whether the server runs or not.

use std::io::Write as _;

use antiphon_api::Timestamp;
use antiphon_server::app::open_storage;
use antiphon_server::config::account_name_problem;
use antiphon_server::storage::{AccountId, Direction, NewKey, Storage, StoredAccount, Window};
use clap::Subcommand;

use crate::config::ConfigFile;
use crate::exit::misuse;
use crate::table::{Room, Table};

/// Keys of an account that are looked at to count those that are valid; it has no more.
const KEYS: u32 = 1_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon accounts create acme             prints the account's first key, once
  antiphon accounts list
  antiphon accounts new-key acme            for an account that has lost its keys

Accounts share nothing: no call, agent, tool, key or limit. The server is found by its configuration, and need not be stopped.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an account, and its first key.
    Create {
        /// What it is called: 1 to 64 characters.
        name: String,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Show all accounts.
    List {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Make another key for an account.
    NewKey {
        /// What the account is called.
        name: String,
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Create { name, file } => {
            if let Some(problem) = account_name_problem(&name) {
                return Err(misuse(problem));
            }
            let storage = open(&file).await?;
            let created = create(&storage, &name).await;
            storage.close().await;
            created
        }
        Command::List { file } => {
            let storage = open(&file).await?;
            let listed = list(&storage).await;
            storage.close().await;
            listed
        }
        Command::NewKey { name, file } => {
            let storage = open(&file).await?;
            let made = new_key(&storage, &name).await;
            storage.close().await;
            made
        }
    }
}

async fn open(file: &ConfigFile) -> anyhow::Result<Storage> {
    Ok(open_storage(&file.load()?.config.storage).await?)
}

async fn create(storage: &Storage, name: &str) -> anyhow::Result<()> {
    let id = AccountId::random();
    let account = StoredAccount { id, name: name.to_owned(), created: now() };
    if !storage.accounts.insert_account(&account).await? {
        return Err(misuse(format!(
            "there is an account \"{name}\" already; choose another name, or make a key with: antiphon accounts new-key {name}"
        )));
    }
    show_key(storage, &account, "made with the account").await
}

async fn new_key(storage: &Storage, name: &str) -> anyhow::Result<()> {
    let account = storage.accounts.account_named(name).await?;
    let account = account.ok_or_else(|| {
        misuse(format!("there is no account \"{name}\"; see those there are with: antiphon accounts list"))
    })?;
    show_key(storage, &account, "made by the operator").await
}

/// Makes a key and shows it: the only time that it is shown.
async fn show_key(storage: &Storage, account: &StoredAccount, key_name: &str) -> anyhow::Result<()> {
    let new = NewKey { account: account.id, name: key_name.to_owned(), creator: None, expires: None };
    let (key, _) = storage.make_key(new, now()).await?;
    let mut out = anstream::stdout();
    writeln!(
        out,
        "The account \"{}\" ({}) has a new API key, which is shown only now:\n",
        account.name, account.id
    )?;
    writeln!(out, "  export ANTIPHON_API_KEY={}", key.expose())?;
    out.flush()?;
    Ok(())
}

async fn list(storage: &Storage) -> anyhow::Result<()> {
    let now = now();
    let mut out = anstream::stdout();
    let mut rows = Vec::new();
    for account in storage.accounts.accounts().await? {
        let window = Window { after: None, direction: Direction::Forward, limit: KEYS };
        let keys = storage.keys.keys(account.id, window).await?;
        let valid = keys.items.iter().filter(|key| key.is_valid(now)).count();
        rows.push(vec![
            account.id.to_string(),
            account.created.to_string(),
            valid.to_string(),
            crate::screen::harmless(&account.name),
        ]);
    }
    let columns = ["ID", "CREATED", "VALID KEYS", "NAME"].map(|title| (title, Room::Whole));
    Table::new(columns.to_vec(), None).write(&mut out, &rows)?;
    out.flush()?;
    Ok(())
}

fn now() -> Timestamp {
    Timestamp::from(jiff::Timestamp::now())
}
