-- The ledger's first tables. Valid on DuckDB and Postgres: portable types only, no foreign keys
-- (DuckDB rewrites a referenced row on update and then refuses it), and no index on a column that
-- is ever updated, for the same reason. Times are milliseconds since the epoch, UTC; money is quote
-- currency, quantities are base currency.

create table ledger_identity (
    ledger_id text primary key,
    created_at_ms bigint not null
);

create table snapshots (
    tick_id text primary key,
    snapshot_id text not null,
    bar_close_ms bigint not null,
    taken_at_ms bigint not null,
    content text not null
);

create table decisions (
    decision_id text primary key,
    tick_id text not null,
    snapshot_id text not null,
    desk text not null,
    strategy_id text not null,
    symbol text not null,
    action text not null,
    outcome text not null,
    reason_code text not null,
    bar_close_ms bigint not null,
    quote_amount decimal(38, 18) not null,
    reference_price double precision,
    checks text not null,
    inputs text not null,
    recorded_at_ms bigint not null
);
create index decisions_by_tick on decisions (tick_id);

create table risk_verdicts (
    decision_id text primary key,
    kind text not null,
    reason_code text not null,
    quote_amount decimal(38, 18) not null,
    checks text not null,
    recorded_at_ms bigint not null
);

create table orders (
    client_order_id text primary key,
    decision_id text not null,
    tick_id text not null,
    venue text not null,
    desk text not null,
    strategy_id text not null,
    symbol text not null,
    side text not null,
    quantity decimal(38, 18) not null,
    reference_price decimal(38, 18) not null,
    state text not null,
    created_at_ms bigint not null,
    not_before_ms bigint not null,
    updated_at_ms bigint not null
);
create index orders_by_tick on orders (tick_id);

create table order_events (
    client_order_id text not null,
    sequence integer not null,
    from_state text,
    to_state text not null,
    cause text not null,
    at_ms bigint not null,
    primary key (client_order_id, sequence)
);

create table fills (
    venue text not null,
    venue_fill_id text not null,
    client_order_id text not null,
    symbol text not null,
    side text not null,
    quantity decimal(38, 18) not null,
    price decimal(38, 18) not null,
    fee decimal(38, 18) not null,
    fee_currency text not null,
    filled_at_ms bigint not null,
    slippage_bps double precision,
    recorded_at_ms bigint not null,
    primary key (venue, venue_fill_id)
);
create index fills_by_order on fills (client_order_id);

create table positions (
    desk text not null,
    strategy_id text not null,
    symbol text not null,
    quantity decimal(38, 18) not null,
    average_cost decimal(38, 18) not null,
    opened_at_ms bigint not null,
    realised_pnl decimal(38, 18) not null,
    updated_at_ms bigint not null,
    primary key (desk, strategy_id, symbol)
);

create table cash_postings (
    posting_id text primary key,
    at_ms bigint not null,
    kind text not null check (kind in ('deposit', 'buy', 'sell', 'fee')),
    amount decimal(38, 18) not null,
    currency text not null,
    client_order_id text,
    venue_fill_id text
);

create table equity (
    tick_id text primary key,
    at_ms bigint not null,
    cash decimal(38, 18) not null,
    positions_value decimal(38, 18) not null,
    equity decimal(38, 18) not null,
    unpriced_symbols text not null
);

create table controls (
    name text primary key,
    value text not null,
    reason text not null,
    changed_at_ms bigint not null,
    changed_by text not null
);

create table alerts (
    alert_id text primary key,
    dedupe_key text not null,
    severity text not null,
    title text not null,
    body text not null,
    created_at_ms bigint not null,
    suppressed boolean not null
);

create table alert_deliveries (
    alert_id text not null,
    channel text not null,
    status text not null,
    receipt text not null,
    at_ms bigint not null,
    primary key (alert_id, channel)
);

create table audit (
    sequence bigint primary key,
    at_ms bigint not null,
    kind text not null,
    subject text not null,
    payload text not null,
    previous_hash text not null,
    hash text not null
);

create table audit_head (
    only_row integer primary key check (only_row = 1),
    sequence bigint not null,
    hash text not null
);
insert into audit_head (only_row, sequence, hash)
values (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- The paper venue's own book: what a real exchange would remember, apart from what we recorded.
create table paper_orders (
    client_order_id text primary key,
    content text not null,
    state text not null,
    accepted_at_ms bigint not null,
    updated_at_ms bigint not null,
    reason text not null
);

create table paper_fills (
    venue_fill_id text primary key,
    client_order_id text not null,
    content text not null,
    filled_at_ms bigint not null
);
create index paper_fills_by_order on paper_fills (client_order_id);
