import {type Answer, after, isRefused, rootNode, settled} from '#devices/folder';
import {Errno} from '#support/ffi';
import {concatBytes} from '#support/wire';
import {qidOf, typeOf} from './attributes.ts';
import {type Fid, type FidFile, noFid} from './fid-table.ts';
import {type FieldsOf, Qid, Reply, Request} from './messages.ts';
import {type Operation, type Outcome, operation, outcome, type Session, unsupported, using} from './operation.ts';

/** User of a client that says none (`P9_NONUNAME`), and whose files are theirs then: nobody's, as Linux has it. */
const [noUser, nobody] = [0xffff_ffff, 65534];

/** Operations that give fids to files, and take them. */
export const fidOperations: readonly Operation[] = [
	operation(Request.auth, unsupported),

	operation(Request.attach, (session, {fid, authFid, tree, userId}) => {
		if (authFid !== noFid) return -Errno.EINVAL;
		if (tree !== '' && tree !== '/') return -Errno.ENOENT;
		const {folder, fids} = session;
		const reserved = fids.reserve(fid);
		if (isRefused(reserved)) return reserved;
		return settled(folder.getAttributes(rootNode), (attributes) => {
			if (isRefused(attributes)) {
				fids.giveUp(fid);
				return attributes;
			}
			const user = userId === noUser ? nobody : userId;
			fids.add(fid, user, {node: rootNode, type: typeOf(attributes), place: undefined}, 0);
			return outcome(Reply.attach, {qid: qidOf(attributes)});
		});
	}),

	operation(Request.walk, (session, fields) => using(session, fields.fid, (from) => walk(session, from, fields))),

	operation(Request.clunk, ({fids}, {fid}) => after(fids.clunk(fid), () => outcome(Reply.clunk, {}))),
];

function walk(session: Session, from: Fid, {fid, newFid, names}: FieldsOf<typeof Request.walk>): Answer<Outcome> {
	const {folder, fids} = session;
	const isSame = newFid === fid;
	// Its file is what it is open for; the copy of a fid is not open.
	if (isSame && names.length > 0 && from.isOpen) return -Errno.EINVAL;
	const reserved = isSame ? 0 : fids.reserve(newFid);
	if (isRefused(reserved)) return reserved;
	const ids: Uint8Array[] = [];
	let at: FidFile = from.file;
	const end = (isFound: boolean): Outcome | number => {
		const lookups = ids.length === 0 ? 0 : 1;
		if (isFound && isSame && from.isOpen) {
			folder.forget(at.node, lookups);
			return -Errno.EINVAL;
		}
		if (isFound && isSame) fids.move(from, at, lookups);
		else if (isFound) fids.add(newFid, from.user, at, lookups);
		else {
			folder.forget(at.node, lookups);
			if (!isSame) fids.giveUp(newFid);
		}
		return outcome(Reply.walk, {count: ids.length}, {behind: concatBytes(...ids)});
	};
	const step = (): Answer<Outcome> => {
		const name = names[ids.length];
		if (name === undefined) return end(true);
		return settled(folder.lookup(at.node, name), (entry) => {
			if (isRefused(entry)) {
				// Who cannot take the first step is told why, and who can how far they got (walk(5) of 9P2000).
				const got = end(false);
				return ids.length === 0 ? entry : got;
			}
			// A node lives while there are nodes in it.
			if (ids.length > 0) folder.forget(at.node, 1);
			ids.push(Qid.encode(qidOf(entry.attributes)));
			at = {node: entry.node, type: typeOf(entry.attributes), place: {parent: at.node, name}};
			return step();
		});
	};
	return step();
}
