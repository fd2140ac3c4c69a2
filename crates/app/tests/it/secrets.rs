//! The key of stored secrets is changed under a server that uses them.

use crate::console::with_password;
use crate::house::{House, gatehouse};
use anyhow::{Context, Result};
use testkit::vnc::{Viewer, ViewerOptions};
use testkit::xvnc::{Xvnc, XvncOptions};

async fn reaches(house: &House, number: u64) -> Result<()> {
    let ticket = house.ticket(number, "{}").await?;
    let (stream, _closing) = house.console(&ticket, "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_follows_a_new_key() -> Result<()> {
    let target =
        Xvnc::start(XvncOptions { password: Some("secret12".to_owned()), ..with_password() }).await?;
    let house = House::start().await?;
    let address = format!("vnc://{}", target.address());
    let number = house.add_target("desk", &address, Some("secret12")).await?;
    reaches(&house, number).await?;
    let file = house.dir.path().join("secret.key");
    let before = std::fs::read_to_string(&file)?;
    let said = gatehouse(house.dir.path(), &["secret", "rotate"]).run().await?;
    assert!(said.contains("1 stored secrets were sealed anew"), "{said}");
    let after = std::fs::read_to_string(&file)?;
    assert_eq!(after.lines().count(), 1);
    assert_ne!(before, after);
    reaches(&house, number).await?;
    // What the running server seals from now on, others open.
    let second = house.add_target("again", &address, Some("secret12")).await?;
    reaches(&house, second).await?;
    let log = house.ask("GET", "/api/audit?action=secret.rotated", "").await?.json();
    assert_eq!(log["entries"][0]["detail"]["by"], "cli", "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_from_a_variable_is_changed_by_variables() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (old, new) = ("q8Zr1vXk2Lm9Tn4Wb7Yd0Hs6Pc3Jf5Ga", "mB4kT9wQ2xZ7cV1nL6hJ8gF3dS5aP0rE");
    let password = dir.path().join("p.txt");
    std::fs::write(&password, "secret12\n")?;
    let add = ["target", "add", "card", "testcard:", "--password-file", &password.display().to_string()];
    gatehouse(dir.path(), &add).env("GATEHOUSE_SECRET_KEY", old).run().await?;
    let rotate = gatehouse(dir.path(), &["secret", "rotate"]);
    let error = rotate.env("GATEHOUSE_SECRET_KEY", old).run().await.unwrap_err().to_string();
    assert!(error.contains("seal.key_elsewhere"), "{error}");
    let rotate = gatehouse(dir.path(), &["secret", "rotate"]).env("GATEHOUSE_SECRET_KEY", new);
    let said = rotate.env("GATEHOUSE_SECRET_KEY_OLD", old).run().await?;
    assert!(said.contains("1 stored secrets"), "{said}");
    // Without the older key nothing is left that needs it.
    let again = gatehouse(dir.path(), &["secret", "rotate"]).env("GATEHOUSE_SECRET_KEY", new);
    let said = again.env("GATEHOUSE_SECRET_KEY_OLD", "x3Vb6Nm9Lk2Jh5Gf8Ds1Ap4Qo7We0Ru!").run().await?;
    assert!(said.contains("0 stored secrets"), "{said}");
    let lines = gatehouse(dir.path(), &["audit", "export"]).env("GATEHOUSE_SECRET_KEY", new).run().await?;
    assert!(lines.lines().any(|line| line.contains("secret.rotated")), "{lines}");
    std::fs::metadata(dir.path().join("secret.key")).err().context("a key file was made")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn access_tokens_of_a_running_server_follow_a_new_key() -> Result<()> {
    let house = House::start().await?;
    let ada = house.person("ada", "user").await?;
    let me = async |token: &str| house.bear(token, "GET", "/api/auth/me", "").await;
    assert_eq!(me(&ada.access).await?.status, 200);
    gatehouse(house.dir.path(), &["secret", "rotate"]).run().await?;
    // The old key is gone, and with it whatever anybody signs with it.
    let refused = me(&ada.access).await?;
    assert_eq!((refused.status, refused.code().as_str()), (401, "access.invalid"), "{refused:?}");
    let wish = serde_json::json!({ "refresh_token": ada.refresh }).to_string();
    let renewed = crate::http::send(house.web, "POST", "/api/auth/refresh", &[], &wish).await?;
    let access = renewed.json()["access_token"].as_str().context("no token")?.to_owned();
    assert_eq!(me(&access).await?.status, 200);
    // Whoever starts now reads what the running server signed.
    let House { dir, child, .. } = house;
    drop(child);
    let house = House::open(dir, &[]).await?;
    assert_eq!(house.bear(&access, "GET", "/api/auth/me", "").await?.status, 200);
    Ok(())
}
