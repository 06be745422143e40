-- Orders of every type with their links and signatures, fills per venue account, leases with fencing
-- tokens, and cash in double entry. Tables that gain columns are made anew: DuckDB adds no column with
-- a constraint.

create table leases (
    account text primary key,
    holder text not null,
    token bigint not null check (token > 0),
    acquired_at_ms bigint not null,
    expires_at_ms bigint not null
);

-- Apart from the orders: a signature depends on the key, the order does not.
create table order_signatures (
    client_order_id text primary key,
    signature text not null
);

create table orders_0001 as select * from orders;
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
    reference_price decimal(38, 18) not null,
    state text not null,
    created_at_ms bigint not null,
    not_before_ms bigint not null,
    updated_at_ms bigint not null
);
insert into orders
select client_order_id, decision_id, tick_id, venue, 'main', desk, strategy_id, symbol, side, 'market', quantity,
    null, null, side = 'sell', 'single', '', reference_price, state, created_at_ms, not_before_ms, updated_at_ms
from orders_0001;
drop table orders_0001;
create index orders_by_tick on orders (tick_id);
create index orders_by_parent on orders (parent_id);

create table fills_0001 as select * from fills;
drop table fills;
create table fills (
    venue text not null,
    account text not null,
    venue_fill_id text not null,
    client_order_id text not null,
    symbol text not null,
    side text not null,
    quantity decimal(38, 18) not null check (quantity > 0),
    price decimal(38, 18) not null check (price > 0),
    fee decimal(38, 18) not null,
    fee_currency text not null,
    filled_at_ms bigint not null,
    slippage_bps double precision,
    recorded_at_ms bigint not null,
    primary key (venue, account, venue_fill_id)
);
insert into fills
select venue, 'main', venue_fill_id, client_order_id, symbol, side, quantity, price, fee, fee_currency, filled_at_ms,
    slippage_bps, recorded_at_ms
from fills_0001;
drop table fills_0001;
create index fills_by_order on fills (client_order_id);

create table positions_0001 as select * from positions;
drop table positions;
create table positions (
    desk text not null,
    strategy_id text not null,
    symbol text not null,
    quantity decimal(38, 18) not null,
    average_cost decimal(38, 18) not null,
    opened_at_ms bigint not null,
    realised_pnl decimal(38, 18) not null,
    last_filled_at_ms bigint,
    updated_at_ms bigint not null,
    primary key (desk, strategy_id, symbol)
);
insert into positions
select p.desk, p.strategy_id, p.symbol, p.quantity, p.average_cost, p.opened_at_ms, p.realised_pnl,
    coalesce(max(f.filled_at_ms), 0), p.updated_at_ms
from positions_0001 p
left join orders o on o.desk = p.desk and o.strategy_id = p.strategy_id and o.symbol = p.symbol
left join fills f on f.client_order_id = o.client_order_id
group by p.desk, p.strategy_id, p.symbol, p.quantity, p.average_cost, p.opened_at_ms, p.realised_pnl, p.updated_at_ms;

-- One row moves an amount out of one account into another, so no row can unbalance the books.
create table transfers (
    transfer_id text primary key,
    sequence bigint not null unique,
    at_ms bigint not null,
    kind text not null
        check (kind in ('deposit', 'reserve', 'release', 'trade', 'fee', 'realised', 'funding')),
    from_account text not null,
    to_account text not null,
    amount decimal(38, 18) not null check (amount > 0),
    currency text not null,
    client_order_id text,
    venue_fill_id text,
    check (from_account <> to_account)
);
create index transfers_by_order on transfers (client_order_id);

-- Every former movement of cash, against capital, the position it was for, or foreign fees.
create table movements_0001 as
select c.posting_id, c.at_ms, c.kind, c.amount, c.currency, c.client_order_id, c.venue_fill_id,
    coalesce(f.venue, o.venue, 'paper') as venue,
    case
        when c.kind = 'deposit' then 'capital'
        when c.kind = 'fee' and t.currency <> c.currency then 'fees'
        else 'position:' || o.desk || '/' || o.strategy_id || '/' || o.symbol
    end as counter
from cash_postings c
left join orders o on o.client_order_id = c.client_order_id
left join fills f on f.client_order_id = c.client_order_id and f.venue_fill_id = c.venue_fill_id
left join cash_postings t on t.client_order_id = c.client_order_id and t.venue_fill_id = c.venue_fill_id
    and t.kind in ('buy', 'sell');

insert into transfers
select
    case kind
        when 'deposit' then 'deposit:' || posting_id
        when 'fee' then 'fee:' || venue || '/main:' || venue_fill_id
        else 'trade:' || venue || '/main:' || venue_fill_id
    end,
    row_number() over (order by at_ms, posting_id),
    at_ms,
    case when kind in ('buy', 'sell') then 'trade' else kind end,
    case when amount > 0 then counter else 'cash:free:' || venue || '/main' end,
    case when amount > 0 then 'cash:free:' || venue || '/main' else counter end,
    abs(amount),
    currency,
    client_order_id,
    venue_fill_id
from movements_0001
where amount <> 0;

-- What the positions realised, position by position: their accounts then hold what the holdings cost.
insert into transfers
select
    'realised:0001:' || p.desk || '/' || p.strategy_id || '/' || p.symbol,
    (select coalesce(max(sequence), 0) from transfers)
        + row_number() over (order by p.desk, p.strategy_id, p.symbol),
    p.updated_at_ms,
    'realised',
    case when p.realised_pnl > 0 then 'realised'
        else 'position:' || p.desk || '/' || p.strategy_id || '/' || p.symbol end,
    case when p.realised_pnl > 0 then 'position:' || p.desk || '/' || p.strategy_id || '/' || p.symbol
        else 'realised' end,
    abs(p.realised_pnl),
    (
        select min(c.currency) from cash_postings c join orders o on o.client_order_id = c.client_order_id
        where c.kind in ('buy', 'sell') and o.desk = p.desk and o.strategy_id = p.strategy_id
            and o.symbol = p.symbol
    ),
    null,
    null
from positions_0001 p
where p.realised_pnl <> 0;

drop table movements_0001;
drop table positions_0001;
drop table cash_postings;
