//! Files and directories of what people said: whoever runs the server may look into them, and nobody else.
//!
//! Knows nothing of what they are for. Elsewhere than on Unix they have the rights that the system gives.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a directory and those above it, as far as they are not there.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// To write to files, which are private where they are made.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn nobody_else_may_look_into_what_is_made() {
        let base = std::env::temp_dir().join(format!("antiphon-private-{}", std::process::id()));
        let directory = base.join("calls/of/today");
        create_directory(&directory).unwrap();
        create_directory(&directory).expect("that it is there is no failure");
        let file = directory.join("call");
        options().create_new(true).open(&file).unwrap();
        let rights = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([rights(&directory), rights(&base), rights(&file)], [0o700, 0o700, 0o600]);
        std::fs::remove_dir_all(base).unwrap();
    }
}
