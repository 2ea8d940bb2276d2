import test from 'ava';
import {Errno} from '#support/ffi';
import {type Name, nameOf} from './answer.ts';
import {keepFolder, keptFolder} from './kept-folder.ts';
import {type FolderNode, NodeTree} from './node-tree.ts';

const name = (text: string) => nameOf(Buffer.from(text)) as Name;
type Node = FolderNode<string>;

function treeOf(most = 100) {
	const tree = new NodeTree('root', most);
	const root = tree.get(1) as Node;
	return {
		tree,
		root,
		enter: (parent: Node, text: string, key: string | undefined = text) =>
			tree.enter(parent, name(text), key, text) as Node,
	};
}

test('a node has a number of its own, which nobody gets after it', (t) => {
	const {tree, root, enter} = treeOf();
	const first = enter(root, 'a');
	t.is(enter(root, 'a'), first);
	tree.forget(first.id, 1);
	t.is(tree.get(first.id), first, 'it was looked up twice');
	tree.forget(first.id, 5);
	t.is(tree.get(first.id), undefined);
	t.is(tree.size, 1);
	t.true(enter(root, 'a').id > first.id);
	for (const id of [1, 0, 77, -1, Number.NaN]) tree.forget(id, 1e9);
	t.is(tree.get(1), root);
});

test('parents stay while there is something in them, and open files while they are open', (t) => {
	const {tree, root, enter} = treeOf();
	const directory = enter(root, 'dir');
	const file = enter(directory, 'file');
	tree.forget(directory.id, 1);
	t.is(tree.path(file), 'dir/file');
	tree.hold(file);
	tree.forget(file.id, 1);
	t.is(tree.size, 3);
	tree.letGo(file);
	t.is(tree.size, 1, 'and no longer');
});

test('paths follow renames, exchanges and removals', (t) => {
	const {tree, root, enter} = treeOf();
	const [a, b] = [enter(root, 'a'), enter(root, 'b')];
	const [inA, inB] = [enter(a, 'x'), enter(b, 'y')];
	tree.moved(root, name('a'), b, name('moved'));
	t.is(tree.path(inA), 'b/moved/x');
	tree.exchanged(b, name('y'), a, name('x'));
	t.deepEqual([tree.path(inA), tree.path(inB)], ['b/y', 'b/moved/x']);
	tree.exchanged(root, name('b'), root, name('unknown'));
	t.is(tree.path(inA), 'unknown/y');
	tree.moved(root, name('missing'), b, name('moved'));
	t.is(tree.path(inB), -Errno.ESTALE, 'what was there has no name any more');
	tree.removed(root, name('unknown'));
	t.is(tree.path(inA), -Errno.ESTALE);
	t.is(tree.path(root), '');
});

test('a file with two names is one node, where it was seen last', (t) => {
	const {tree, root, enter} = treeOf();
	const file = enter(root, 'one', 'key');
	t.is(enter(root, 'two', 'key'), file);
	t.is(tree.path(file), 'two');
	tree.removed(root, name('one'));
	t.is(tree.path(file), 'two');
	t.not(enter(root, 'two', 'other'), file, 'another file under the name');
	t.is(tree.path(file), -Errno.ESTALE);
	t.is(enter(root, 'one', 'key'), file);
	tree.gone(file);
	t.not(enter(root, 'one', 'key'), file);
});

test('a directory that is seen inside itself makes no circle', (t) => {
	const {tree, root, enter} = treeOf();
	const outer = enter(root, 'outer');
	const inner = enter(outer, 'inner');
	t.is(tree.enter(inner, name('again'), 'outer', 'outer'), outer);
	t.is(tree.path(inner), 'outer/inner');
	tree.moved(root, name('outer'), inner, name('x'));
	t.is(tree.path(inner), 'outer/inner');
});

test('nodes and paths have bounds', (t) => {
	const {tree, root, enter} = treeOf(30);
	let at = root;
	for (let depth = 0; depth < 16; depth++) at = enter(at, `${depth}`.padEnd(255, 'x'));
	t.is(tree.path(at), -Errno.ENAMETOOLONG);
	const more = [];
	for (let count = tree.size; count < 30; count++) more.push(enter(root, `more-${count}`));
	const [first, second] = more as [Node, Node];
	tree.get(first.id);
	t.true(enter(root, 'one too many').id > 30, 'what was used longest ago makes room');
	t.deepEqual([tree.size, tree.get(at.id)], [30, undefined], 'but no directory that something is in');
	t.is(tree.path(at), -Errno.ESTALE);
	for (let id = 1; id < 17; id++) tree.get(id);
	enter(root, 'and another');
	t.is(tree.get(second.id), undefined);
	t.is(tree.get(first.id), first);
	const held = Array.from({length: 40}, (_, id) => tree.get(id)).filter((node) => node !== undefined);
	for (const node of held) tree.hold(node);
	t.is(tree.enter(root, name('no more'), undefined, ''), -Errno.ENFILE, 'all are in use');
	t.is(tree.enterUnnamed('another', ''), -Errno.ENFILE);
	t.false(tree.makeRoom());
	tree.letGo(first);
	t.true(tree.makeRoom());
	t.is(tree.get(first.id), undefined);
	const full = treeOf(2);
	const inside = full.enter(full.enter(full.root, 'directory'), 'inside');
	t.is(inside as unknown, -Errno.ENFILE, 'where something is looked for is not forgotten for it');
});

test('what is saved is there again under the same numbers, parents first', (t) => {
	const {tree, root, enter} = treeOf();
	const directory = enter(root, 'dir');
	const early = enter(root, 'early');
	const late = enter(directory, 'late');
	tree.moved(root, name('early'), late, name('in'));
	const memory = new Uint8Array(4096);
	t.true(keepFolder(memory, {...tree.save(), handles: [{id: 1, node: early.id, flags: 2, isDirectory: false}]}));
	const kept = keptFolder(memory);
	const again = treeOf();
	for (const node of kept?.nodes ?? []) t.truthy(again.tree.restore(node, node.name, node.name));
	again.tree.skipTo(kept?.next ?? 0);
	t.is(again.tree.path(again.tree.get(early.id) as Node), 'dir/late/in');
	t.is(again.enter(again.root, 'new').id, late.id + 1);
	t.deepEqual(kept?.handles, [{id: 1, node: early.id, flags: 2, isDirectory: false}]);
	t.false(keepFolder(new Uint8Array(64), {...tree.save(), handles: []}), 'no room');
	t.true(keepFolder(memory, {nodes: [], handles: [], next: 2}));
	t.true(
		memory.subarray(64).every((byte) => byte === 0),
		'what is not used is zero',
	);
	for (const {id} of [{id: 1}, {id: early.id}]) {
		const node = {id, parent: 1, name: 'x', lookups: 1};
		t.is(again.tree.restore(node, 'x', 'x'), undefined, 'no number means two');
	}
});
