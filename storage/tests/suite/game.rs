//! The session manager in memory and in Redis.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::game::{DEFAULT_TTL, POINTS};
use firedrill_storage::{
    Claim, ClaimToken, Effect, GameError, Games, ManualClock, MemoryConfig, MemoryStore, RedisStore, SessionId, UserId,
};

use crate::support::RedisServer;

/// The games of one test, on each store.
async fn on_both(test: impl AsyncFn(Games)) {
    test(Games::new(Arc::new(MemoryStore::default()), DEFAULT_TTL)).await;
    let server = RedisServer::start();
    test(Games::new(Arc::new(RedisStore::builder(&server.url()).build().unwrap()), DEFAULT_TTL)).await;
}

async fn begun(games: &Games) -> SessionId {
    games.begin_sized(UserId::Number(7), 2_000).await.unwrap().value.session_id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_game_is_played_from_beginning_to_reward() {
    on_both(async |games| {
        let begun = games.begin_sized(UserId::Number(7), 2_000).await.unwrap().value;
        assert_eq!(begun.questions.len(), 10);
        let json = serde_json::to_string(&begun).unwrap();
        assert!(!json.contains("correct") && !json.contains("explanation"), "{json}");
        let id = begun.session_id;
        let game = games.get(&id).await.unwrap().value.data;
        for (number, question) in game.questions.iter().enumerate() {
            let choice = if number == 3 { (question.correct + 1) % 4 } else { question.correct };
            let told = games.submit(&id, question.id, choice).await.unwrap().value;
            assert_eq!((told.correct, told.answered, told.repeated), (number != 3, number + 1, false));
            let results = games.results(&id).await.unwrap().value;
            assert_eq!(results.finished, number == 9);
        }
        let results = games.results(&id).await.unwrap().value;
        assert_eq!((results.questions, results.answered, results.correct), (10, 10, 9));
        assert_eq!((results.score, results.progression_awarded), (u64::from(9 * POINTS), false));
        let claimed = games.award(&id, &ClaimToken::random()).await.unwrap().value;
        assert_eq!(claimed, Claim::Awarded);
        assert!(games.results(&id).await.unwrap().value.progression_awarded);
        assert!(games.end(&id).await.unwrap().value);
        assert!(matches!(games.results(&id).await, Err(GameError::NotFound)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_answer_counts_once_and_of_two_different_ones_the_first() {
    on_both(async |games| {
        let id = begun(&games).await;
        let first = games.submit(&id, 1, 0).await.unwrap().value;
        let again = games.submit(&id, 1, 0).await.unwrap().value;
        assert_eq!((again.total_score, again.answered), (first.total_score, 1));
        assert!(!first.repeated && again.repeated);
        let error = games.submit(&id, 1, 2).await.unwrap_err();
        assert!(matches!(error, GameError::AlreadyAnswered { question: 1, first: 0 }), "{error:?}");
        assert_eq!(error.effect(), Effect::None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_different_answers_sent_at_once_one_counts_and_the_others_are_told_which() {
    on_both(async |games| {
        let id = begun(&games).await;
        for question in 1..=5 {
            let mut tasks = tokio::task::JoinSet::new();
            for choice in 0..4 {
                let (games, id) = (games.clone(), id.clone());
                tasks.spawn(async move { (choice, games.submit(&id, question, choice).await) });
            }
            let (mut counted, mut first) = (Vec::new(), Vec::new());
            while let Some(done) = tasks.join_next().await {
                match done.unwrap() {
                    (choice, Ok(_)) => counted.push(choice),
                    (_, Err(GameError::AlreadyAnswered { first: choice, .. })) => first.push(choice),
                    (_, Err(error)) => panic!("{error:?}"),
                }
            }
            assert_eq!((counted.len(), first), (1, vec![counted[0]; 3]));
            let stored = games.get(&id).await.unwrap().value.data.answers;
            assert_eq!(stored.iter().filter(|answer| answer.question == question).count(), 1);
            assert!(stored.iter().any(|answer| answer.question == question && answer.choice == counted[0]));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_game_does_not_ask_or_offer_is_refused() {
    on_both(async |games| {
        let id = begun(&games).await;
        let error = games.submit(&id, 99, 0).await.unwrap_err();
        assert_eq!(error.to_string(), "question 99 is not asked in this game");
        let error = games.submit(&id, 1, 4).await.unwrap_err();
        assert_eq!(error.to_string(), "question 1 has the choices 0 to 3, not 4");
        assert_eq!(games.results(&id).await.unwrap().value.answered, 0);
        let nobody = SessionId::random();
        assert!(matches!(games.submit(&nobody, 1, 0).await, Err(GameError::NotFound)));
        assert!(matches!(games.award(&nobody, &ClaimToken::random()).await, Err(GameError::NotFound)));
        assert!(!games.end(&nobody).await.unwrap().value);
    })
    .await;
}

#[tokio::test]
async fn every_access_lets_a_game_live_another_hour() {
    let clock = Arc::new(ManualClock::default());
    let store = MemoryStore::new(MemoryConfig { clock: Arc::clone(&clock) as _, ..MemoryConfig::default() });
    let games = Games::new(Arc::new(store), DEFAULT_TTL);
    let id = begun(&games).await;
    let nearly = DEFAULT_TTL - Duration::from_secs(1);
    clock.advance(nearly);
    games.get(&id).await.unwrap();
    clock.advance(nearly);
    games.submit(&id, 1, 0).await.unwrap();
    clock.advance(nearly);
    games.results(&id).await.unwrap();
    clock.advance(nearly);
    games.award(&id, &ClaimToken::random()).await.unwrap();
    clock.advance(nearly);
    assert!(games.get(&id).await.is_ok());
    clock.advance(DEFAULT_TTL);
    assert!(matches!(games.get(&id).await, Err(GameError::NotFound)));
}
