-- Generated strategies: what they are, every step of their lives, and the reviews of those that trade.
-- All three are append-only: the state of a strategy is that of its last step.

create table strategies (
    strategy_id text primary key,
    genome text not null,
    origin text not null,
    born_at_ms bigint not null
);

create table strategy_events (
    strategy_id text not null,
    sequence integer not null check (sequence > 0),
    from_state text,
    to_state text not null check (
        to_state in ('generated', 'backtested', 'paper', 'live_candidate', 'live', 'paused', 'retired')
    ),
    actor text not null,
    reason text not null,
    evidence text not null,
    at_ms bigint not null,
    primary key (strategy_id, sequence)
);
create index strategy_events_by_state on strategy_events (to_state);

-- Allocations are multiples of the desk's ordinary slot.
create table strategy_reviews (
    strategy_id text not null,
    review_day text not null,
    grade text not null,
    score double precision,
    action text not null,
    allocation_before double precision not null check (allocation_before >= 0),
    allocation_after double precision not null check (allocation_after >= 0),
    evidence text not null,
    at_ms bigint not null,
    primary key (strategy_id, review_day)
);
