create table person (id integer primary key, name text not null unique, town integer not null);
create table town (id integer primary key, name text not null, height real);
create index person_town on person (town);
begin;
insert into town select value, printf('town-%02d', value), value * value / 8.0 from generate_series(1, 20);
with recursive n (i) as (select 1 union all select i + 1 from n where i < 5000)
	insert into person select i, printf('person-%x', i * 2654435761 % 4294967296), 1 + i * i % 20 from n;
commit;
select 'towns', town.name, count(*), sum(person.id), max(person.id), height
	from person join town on person.town = town.id group by town.id having count(*) > 300 order by sum(person.id) desc, max(person.id) desc;
select 'rank', id, rank() over (order by town desc, name) as r from person order by r limit 3;
update person set town = 1 where id % 3 = 0;
delete from person where name glob 'person-*f';
select 'left', count(*), sum(id), count(distinct town) from person;
select 'total', total(height), avg(height), round(sqrt(sum(height)), 6) from town;
select 'hex', hex(cast(name as blob)) from person where id = 2;
pragma integrity_check;
