-- Which way an entry goes, and the prices of the orders that protect it at the venue. Decisions from before
-- were all long and had none.

alter table decisions add column direction text default 'long';
alter table decisions add column stop_price double precision;
alter table decisions add column take_profit_price double precision;
