import test from 'ava';
import {PackageList} from './package-list.ts';
import {type PackageChoice, selectPackages} from './select-packages.ts';

/** A list of packages, each by its name and version and its other fields. */
const listOf = (...packages: readonly string[]): PackageList => {
	const text = packages
		.map((each) => {
			const [first = '', ...fields] = each.split('; ');
			const [name, version = '1'] = first.split(' ');
			return [`Package: ${name}`, `Version: ${version}`, 'Architecture: amd64', ...fields].join('\n');
		})
		.join('\n\n');
	return new PackageList([{text}], 'amd64');
};

const selected = (list: PackageList, choice: Partial<PackageChoice>): string[] =>
	selectPackages(list, {base: 'none', names: [], ...choice}).map(({name}) => name);

test('what a package needs comes before it, through any number of packages', (t) => {
	const list = listOf('a; Depends: b, c (>= 2)', 'b; Pre-Depends: d', 'c 2', 'd', 'e');
	t.deepEqual(selected(list, {names: ['a']}), ['d', 'b', 'c', 'a']);
});

test('packages that need each other are chosen once', (t) => {
	t.deepEqual(selected(listOf('a; Depends: b', 'b; Depends: a'), {names: ['b']}).sort(), ['a', 'b']);
});

test('a chain of needs may be longer than the stack is deep', (t) => {
	const packages = Array.from({length: 20_000}, (_, index) => `p${index}; Depends: p${index + 1}`);
	t.is(selected(listOf(...packages, 'p20000'), {names: ['p0']}).length, 20_001);
});

test('the base system is what is essential, and from there on by priority', (t) => {
	const list = listOf(
		'libc; Priority: optional',
		'sh; Essential: yes; Priority: required; Depends: libc',
		'apt; Priority: required',
		'init; Priority: important',
		'game; Priority: optional',
	);
	t.deepEqual(selected(list, {base: 'none'}), []);
	t.deepEqual(selected(list, {base: 'essential'}), ['libc', 'sh']);
	t.deepEqual(selected(list, {base: 'required'}), ['libc', 'sh', 'apt']);
	t.deepEqual(selected(list, {base: 'important', names: ['game']}).sort(), ['apt', 'game', 'init', 'libc', 'sh']);
});

test('of alternatives, one that comes anyhow is taken, else the preferred one, else the first', (t) => {
	const list = listOf('a; Depends: x | y', 'b; Depends: y', 'x', 'y');
	t.deepEqual(selected(list, {names: ['a']}), ['x', 'a']);
	t.deepEqual(selected(list, {names: ['a'], prefer: ['y']}), ['y', 'a']);
	t.deepEqual(selected(list, {names: ['a', 'b']}), ['y', 'a', 'b']);
});

test('a name that only is provided is met by the most necessary package that provides it', (t) => {
	const list = listOf(
		'a; Depends: awk',
		'gawk; Provides: awk; Priority: optional',
		'mawk; Provides: awk; Priority: required',
		'versioned; Depends: awk (>= 2)',
		'bwk 3; Provides: awk (= 3); Priority: extra',
	);
	t.deepEqual(selected(list, {names: ['a']}), ['mawk', 'a']);
	t.deepEqual(selected(list, {names: ['a', 'gawk']}), ['gawk', 'a']);
	t.deepEqual(selected(list, {names: ['versioned']}), ['bwk', 'versioned']);
});

test('an alternative that conflicts with what is chosen is passed over', (t) => {
	const list = listOf('a; Depends: x | y', 'b; Conflicts: x', 'x', 'y');
	t.deepEqual(selected(list, {names: ['a', 'b']}), ['y', 'a', 'b']);
});

test('a package may provide and conflict with the same name, of which it is then the only one', (t) => {
	const list = listOf('a; Provides: mta; Conflicts: mta', 'b; Provides: mta; Conflicts: mta');
	t.deepEqual(selected(list, {names: ['a']}), ['a']);
	t.throws(() => selected(list, {names: ['a', 'b']}), {code: 'PACKAGES_CONFLICT'});
});

test('of a package that is listed in several versions, the newest counts; another architecture is not seen', (t) => {
	const list = listOf('a 1.9; Depends: gone', 'a 1.10', 'a 1.2');
	t.is(list.get('a').version, '1.10');
	const text = 'Package: a\nVersion: 1\nArchitecture: i386\n';
	t.throws(() => new PackageList([{text}], 'amd64').get('a'), {
		code: 'PACKAGE_UNKNOWN',
		message: 'There is no package a for amd64 in the package lists',
	});
});

test('`:any` is any architecture, and a package of another one cannot be had', (t) => {
	const list = listOf('a; Depends: python3:any (>= 3.4)', 'python3 3.11', 'b; Depends: python3:i386');
	t.deepEqual(selected(list, {names: ['a']}), ['python3', 'a']);
	t.throws(() => selected(list, {names: ['b']}), {code: 'PACKAGE_DEPENDENCY_UNMET'});
});

test('what cannot be met says what was needed, and why it is not there', (t) => {
	const told = (list: PackageList, ...names: readonly string[]) =>
		t.throws(() => selected(list, {names}), {code: 'PACKAGE_DEPENDENCY_UNMET'})?.message;
	t.is(
		told(listOf('a; Depends: b (>= 2) | c', 'b 1.5'), 'a'),
		'Package a 1 needs b (>= 2) | c, which cannot be had: b is 1.5, there is no c',
	);
	t.is(
		told(listOf('a; Depends: b', 'b', 'c; Breaks: b (<< 2)'), 'a', 'c'),
		'Package a 1 needs b, which cannot be had: c conflicts with b (<< 2), which is b',
	);
});

test('a list that is damaged is refused where it is used', (t) => {
	t.throws(() => new PackageList([{text: 'Package: a\n\nVersion: 1\n'}], 'amd64'), {code: 'PACKAGE_LIST_DAMAGED'});
	t.throws(() => selected(listOf('a; Depends: b (2)'), {names: ['a']}), {
		message: "The package list is damaged: in Depends of a, 'b (2)' names no package",
	});
	t.deepEqual(selected(listOf('a; Depends: b (2)', 'c'), {names: ['c']}), ['c']);
});
