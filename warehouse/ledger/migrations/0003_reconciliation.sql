-- What ledger and venue disagree on, whose the fills are that no order of ours brought about, how far each
-- account has been read, and the market of an order. Orders are made anew: DuckDB adds no column with a
-- constraint.

create table orders_0002 as select * from orders;
drop table orders;
create table orders (
    client_order_id text primary key,
    decision_id text not null,
    tick_id text not null,
    venue text not null,
    account text not null,
    desk text not null,
    strategy_id text not null,
    symbol text not null,
    side text not null,
    order_type text not null,
    quantity decimal(38, 18) not null check (quantity > 0),
    limit_price decimal(38, 18),
    stop_price decimal(38, 18),
    reduce_only boolean not null,
    role text not null,
    parent_id text not null,
    market text not null,
    reference_price decimal(38, 18) not null,
    state text not null,
    created_at_ms bigint not null,
    not_before_ms bigint not null,
    updated_at_ms bigint not null
);
insert into orders
select client_order_id, decision_id, tick_id, venue, account, desk, strategy_id, symbol, side, order_type, quantity,
    limit_price, stop_price, reduce_only, role, parent_id, 'spot', reference_price, state, created_at_ms,
    not_before_ms, updated_at_ms
from orders_0002;
drop table orders_0002;
create index orders_by_tick on orders (tick_id);
create index orders_by_parent on orders (parent_id);

-- Figures of both sides are text: a quantity, an amount, or in words what is there.
create table breaks (
    break_id text primary key,
    venue text not null,
    account text not null,
    kind text not null,
    subject text not null,
    symbol text not null,
    severity text not null check (severity in ('blocks', 'alerts')),
    ours text not null,
    theirs text not null,
    opened_at_ms bigint not null,
    told_at_ms bigint,
    resolved_at_ms bigint
);

create table foreign_fills (
    venue text not null,
    account text not null,
    venue_fill_id text not null,
    venue_order_id text not null,
    cause text not null,
    desk text not null,
    strategy_id text not null,
    adopted_at_ms bigint not null,
    told_at_ms bigint,
    primary key (venue, account, venue_fill_id)
);

create table reconciled_accounts (
    venue text not null,
    account text not null,
    opened_at_ms bigint not null,
    read_until_ms bigint not null,
    checked_at_ms bigint not null,
    primary key (venue, account)
);
