//! Which server is taken, and what is passed over.

use std::os::unix::fs::symlink;

use super::*;

#[test]
fn the_newest_version_comes_first_and_by_number_not_by_text() {
    let dirs = ["/pg/9", "/pg/15", "/pg/lost+found", "/pg/17"]
        .map(PathBuf::from)
        .to_vec();
    let bins = ["/pg/17/bin", "/pg/15/bin", "/pg/9/bin"]
        .map(PathBuf::from)
        .to_vec();
    assert_eq!(by_version(dirs), bins);
}

#[test]
fn the_version_is_read_with_and_without_a_packagers_note() {
    let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
    assert_eq!(version(debian).as_deref(), Some("15.18"));
    assert_eq!(
        version("postgres (PostgreSQL) 18beta1\n").as_deref(),
        Some("18beta1")
    );
    assert_eq!(version("something else\n"), None);
}

#[test]
fn a_script_is_no_program_even_behind_a_link() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("wrapper"), "#!/usr/bin/perl\n").expect("a script");
    symlink("wrapper", dir.path().join("postgres")).expect("a link");
    assert_eq!(program(&dir.path().join("postgres")), None);
    assert_eq!(program(&dir.path().join("initdb")), None);
}
