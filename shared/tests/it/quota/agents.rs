use futures::future::join_all;
use shared::{
    ids::OrgId,
    models::{AgentQuota, Limits, SubscriptionTier},
    quota::{AgentPlaces, Error, Place, Resource, release_agent, reserve_agent},
    store::{Store, commit_contended},
    testing::memory_store,
};

use crate::support::{create_organization, time};

const NOW: &str = "2026-11-23T12:00:00Z";

async fn create_agent(store: &Store, org_id: &OrgId) -> Result<(), Error> {
    let build = || async { Ok((reserve_agent(store, org_id, time(NOW)).await?, ())) };
    commit_contended(store, build).await
}

async fn deploy_agent(store: &Store, org_id: &OrgId) -> Result<(), Error> {
    let build = || async {
        let write = AgentPlaces::find(store, org_id).await?.deploy()?;
        Ok((vec![write], ()))
    };
    commit_contended(store, build).await
}

async fn delete_agent(store: &Store, org_id: &OrgId, is_deployed: bool) {
    let place = Place {
        is_deployed,
        is_suspended: false,
    };
    let build =
        || async { Ok::<_, Error>((release_agent(store, org_id, place, time(NOW)).await?, ())) };
    commit_contended(store, build).await.unwrap();
}

async fn counted(store: &Store, org_id: &OrgId) -> AgentQuota {
    store.find_agent_quota(org_id).await.unwrap().unwrap().value
}

async fn assert_exact(creators: usize, limit: i64) {
    let (store, _db) = memory_store();
    let limits = Limits {
        agents: Some(limit),
        ..Limits::default()
    };
    let org_id = create_organization(&store, limits).await;
    let results = join_all((0..creators).map(|_| create_agent(&store, &org_id))).await;
    let created = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(i64::try_from(created).unwrap(), limit);
    for error in results.into_iter().filter_map(Result::err) {
        let exhausted = matches!(
            &error,
            Error::Exhausted {
                resource: Resource::Agents,
                ..
            }
        );
        assert!(exhausted, "{error:?}");
    }
    assert_eq!(counted(&store, &org_id).await.created, limit);
    let stats = store
        .find_current_stats(&org_id)
        .await
        .unwrap()
        .unwrap()
        .value;
    assert_eq!(stats.agents, limit, "the dashboard counts the same");
}

#[tokio::test]
async fn of_fifty_parallel_creators_exactly_one_succeeds_at_limit_one() {
    assert_exact(50, 1).await;
}

#[tokio::test]
async fn of_fifty_parallel_creators_exactly_five_succeed_at_limit_five() {
    assert_exact(50, 5).await;
}

#[tokio::test]
async fn the_refusal_tells_tier_limit_and_use() {
    let (store, _db) = memory_store();
    let org_id = create_organization(&store, Limits::default()).await;
    create_agent(&store, &org_id).await.unwrap();
    let error = create_agent(&store, &org_id).await.unwrap_err();
    let Error::Exhausted {
        resource,
        limit,
        used,
        tier,
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!((resource, limit, used), (Resource::Agents, 1, 1));
    assert_eq!(tier, SubscriptionTier::Free);
}

#[tokio::test]
async fn a_deleted_agent_makes_room() {
    let (store, _db) = memory_store();
    let org_id = create_organization(&store, Limits::default()).await;
    create_agent(&store, &org_id).await.unwrap();
    deploy_agent(&store, &org_id).await.unwrap();
    delete_agent(&store, &org_id, true).await;
    assert_eq!(counted(&store, &org_id).await, AgentQuota::default());
    create_agent(&store, &org_id).await.unwrap();
}

#[tokio::test]
async fn no_more_agents_are_deployed_than_may_be() {
    let (store, _db) = memory_store();
    let org_id = create_organization(&store, Limits::default()).await;
    let results = join_all((0..20).map(|_| deploy_agent(&store, &org_id))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(counted(&store, &org_id).await.deployed, 1);
}

#[tokio::test]
async fn an_organization_that_is_not_there_has_no_quota() {
    let (store, _db) = memory_store();
    let error = create_agent(&store, &OrgId::generate()).await.unwrap_err();
    assert!(matches!(error, Error::UnknownOrganization), "{error:?}");
}
