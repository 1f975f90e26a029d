//! A `PostgreSQL` server for tests and benches: a cluster of its own in a temporary folder, behind a socket
//! in that folder. The tests of the facade and its benches include this file, too.
#![allow(dead_code, reason = "each of them takes what it needs")]
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, process};

/// A running server. It is stopped, and its folder removed, when the process ends, however it does.
#[derive(Debug)]
pub(crate) struct Server {
    binaries: PathBuf,
    folder: PathBuf,
    /// As whom the server runs, if not as us: it refuses to run as root.
    owner: Option<(u32, u32)>,
    /// Waits for the end of the pipe that it reads from, which is that of this process, and cleans up.
    _cleaner: Child,
}

impl Server {
    /// Returns the server that all tests of this process share, and starts it for the first of them.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a server that nobody else uses.
    pub(crate) fn start() -> Self {
        let binaries = binaries();
        let folder = temporary_folder();
        let is_root = fs::metadata(&folder).unwrap().uid() == 0;
        let owner = is_root.then(another_user);
        if let Some((user, group)) = owner {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        let clean_up = r#"cat; "$0/pg_ctl" -D "$1/data" -m immediate stop; rm -rf "$1""#;
        let mut cleaner = Command::new("sh");
        cleaner
            .arg("-c")
            .arg(clean_up)
            .arg(&binaries)
            .arg(&folder)
            .current_dir("/")
            // Not to be interrupted together with us.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let cleaner = be(&mut cleaner, owner).spawn().expect("`sh` starts");
        let server = Self {
            binaries,
            folder,
            owner,
            _cleaner: cleaner,
        };
        server.initialise();
        server.boot();
        server
    }

    fn initialise(&self) {
        let mut initdb = self.command("initdb");
        initdb
            .args(["--no-sync", "--auth=trust", "--username=handoffs"])
            .args(["--encoding=UTF8", "--locale=C", "-D"])
            .arg(self.data());
        run(&mut initdb, &self.log());
        let settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 200\n",
            self.folder.display()
        );
        // The server's owner could not write to a file of ours.
        let settings_file = self.data().join("postgresql.auto.conf");
        fs::write(&settings_file, settings).unwrap();
        if let Some((user, group)) = self.owner {
            chown(&settings_file, Some(user), Some(group)).unwrap();
        }
    }

    /// Starts the server again that was [killed](Self::kill), and returns once it has recovered.
    pub(crate) fn boot(&self) {
        let mut start = self.command("pg_ctl");
        start
            .args(["start", "-w", "-t", "120", "-D"])
            .arg(self.data());
        start.arg("-l").arg(self.log());
        run(&mut start, &self.log());
    }

    /// Kills all of the server's processes, as a power cut would.
    pub(crate) fn kill(&self) {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let main = file.lines().next().unwrap().trim().to_owned();
        let mut all = children(&main);
        all.insert(0, main);
        let status = Command::new("kill").arg("-9").args(&all).status();
        assert!(status.unwrap().code().is_some());
        // While one of them still holds the shared memory, none can be started.
        let since = Instant::now();
        while all.iter().any(|pid| is_running(pid)) {
            assert!(since.elapsed() < Duration::from_secs(30), "{all:?} live on");
            sleep(Duration::from_millis(5));
        }
        // Until somebody looks at what has become of it, the first is still an entry among processes,
        // and the server would take that for itself.
        fs::remove_file(self.data().join("postmaster.pid")).unwrap();
        fs::remove_file(self.folder.join(".s.PGSQL.5432.lock")).unwrap();
    }

    /// Kills one of the processes that serve a connection, and waits until the server has ended all others,
    /// which it does before it recovers.
    pub(crate) fn kill_a_backend(&self) {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let main = file.lines().next().unwrap().trim();
        let serves = |pid: &String| {
            let called = Command::new("ps").args(["-o", "args=", "-p", pid]).output();
            let called = String::from_utf8(called.expect("`ps` runs").stdout).unwrap();
            called.starts_with("postgres: handoffs ")
        };
        let backends: Vec<_> = children(main).into_iter().filter(serves).collect();
        let backend = backends.first().expect("somebody is connected");
        let status = Command::new("kill").args(["-9", backend]).status();
        assert!(status.unwrap().success());
        // Until then it may go on to serve whoever is connected.
        let since = Instant::now();
        while children(main).iter().any(|child| backends.contains(child)) {
            assert!(since.elapsed() < Duration::from_mins(1));
            sleep(Duration::from_millis(5));
        }
    }

    /// Returns where the server is, as `key=value` pairs.
    pub(crate) fn address(&self) -> String {
        format!(
            "host={} user=handoffs dbname=postgres",
            self.folder.display()
        )
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.binaries.join(name));
        // It may not be allowed to look at the folder in which we are.
        command.current_dir("/").env("LC_ALL", "C");
        be(&mut command, self.owner);
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

/// Returns the name of a schema that no other test uses.
pub(crate) fn schema() -> String {
    static SCHEMAS: AtomicU32 = AtomicU32::new(0);
    let number = SCHEMAS.fetch_add(1, Ordering::Relaxed);
    format!("test {} {number}", process::id())
}

fn be(command: &mut Command, owner: Option<(u32, u32)>) -> &mut Command {
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

/// Runs a command to its end. What it says goes to a file, as what it leaves running would keep a pipe open.
fn run(command: &mut Command, log: &Path) {
    let said = log.with_extension("said");
    let file = File::create(&said).unwrap();
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap());
    let status = command.stderr(file).status();
    let ok = status.as_ref().is_ok_and(process::ExitStatus::success);
    let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    assert!(
        ok,
        "{command:?}: {status:?}\n{}\n{}",
        text(&said),
        text(log)
    );
}

/// Finds a folder with the server's programs.
fn binaries() -> PathBuf {
    let mut folders: Vec<PathBuf> = env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect())
        .unwrap_or_default();
    let mut installed: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .collect();
    installed.sort();
    folders.extend(installed.into_iter().rev());
    folders.extend(["/usr/local/pgsql/bin", "/opt/homebrew/bin"].map(PathBuf::from));
    let all = ["initdb", "pg_ctl", "postgres"];
    let found = folders
        .into_iter()
        .find(|folder| all.iter().all(|name| folder.join(name).is_file()));
    found.unwrap_or_else(|| {
        panic!(
            "there is no PostgreSQL server here, which the tests with `--features postgres` need: \
             `apt-get install postgresql` brings one (neither PATH nor /usr/lib/postgresql has a \
             folder with {})",
            all.join(", ")
        )
    })
}

/// A socket's path has to be shorter than 108 bytes.
fn temporary_folder() -> PathBuf {
    let short = env::temp_dir();
    let short = if short.as_os_str().len() > 60 {
        Path::new("/tmp")
    } else {
        &short
    };
    let folder = tempfile::Builder::new()
        .prefix("handoffs-pg-")
        .tempdir_in(short);
    // It is removed by the cleaner, after our end.
    folder.unwrap().keep()
}

/// Returns a user who is not root, and the group.
fn another_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |name: &str| {
        let mut fields = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>());
        let fields = fields.find(|fields| fields[0] == name)?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    let user = ["postgres", "nobody"].into_iter().find_map(ids);
    user.expect("a user `postgres` or `nobody`, as PostgreSQL does not run as root")
}

/// Returns the processes that a process has started.
fn children(of: &str) -> Vec<String> {
    let listed = Command::new("ps")
        .args(["-A", "-o", "pid=", "-o", "ppid="])
        .output();
    let listed = String::from_utf8(listed.expect("`ps` runs").stdout).unwrap();
    let pairs = listed.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?))
    });
    let children = pairs.filter(|(_, parent)| *parent == of);
    children.map(|(child, _)| child.to_owned()).collect()
}

fn is_running(pid: &str) -> bool {
    // A process of which only the entry is left, for its parent to look at, does nothing any more.
    let state = Command::new("ps").args(["-o", "stat=", "-p", pid]).output();
    let state = String::from_utf8(state.expect("`ps` runs").stdout).unwrap();
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}
