use crate::world::World;

#[tokio::test]
async fn what_is_in_a_folder_goes_and_comes_with_it() {
    let world = World::new().await;
    let user = &world.user;
    let (outer, inner) = (user.create_folder("Outer"), user.create_folder("Inner"));
    user.move_file(&inner, &outer);
    let file = user.create_document("Plan", "Build the engine.");
    user.move_file(&file, &inner);
    world.sync_well().await;
    assert!(world.documents().contains_key(&file));
    let is_there = async || {
        world.advance(900);
        world.sync_well().await;
        world.documents().contains_key(&file)
    };
    user.trash_file(&outer);
    assert!(!is_there().await);
    user.restore_file(&outer);
    assert!(is_there().await);
    user.unshare_file(&outer);
    assert!(!is_there().await);
    user.reshare_file(&outer);
    assert!(is_there().await);
    user.delete_file(&inner);
    assert!(!is_there().await);
    assert_eq!(world.app.llm.embedded().len(), 3);
}
