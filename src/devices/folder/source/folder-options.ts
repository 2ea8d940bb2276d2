import {cachePolicies, type FolderOptions, folderDefaults, type OwnerMapping} from '#devices/folder';
import {invalidValue, type OptionTable, type ValueType} from '#support/options';
import {type SharedFolder, sharedFolderOption} from './shared-folder-option.ts';

const mostId = 2 ** 32 - 2;
const expected = 'host, mapped or UID:GID';

const isId = (value: unknown): boolean =>
	Number.isInteger(value) && (value as number) >= 0 && (value as number) <= mostId;

/** Whose files are to the guest: `host`, `mapped`, `0:0`. */
export const ownerOption: ValueType<OwnerMapping> = {
	placeholder: 'OWNER',
	parse(text, option) {
		if (text === 'host' || text === 'mapped') return text;
		const [, uid, gid] = (/^(\d{1,10}):(\d{1,10})$/.exec(text) ?? []).map(Number);
		if (!isId(uid) || !isId(gid)) throw invalidValue(option, text, expected);
		return {uid: uid as number, gid: gid as number};
	},
	check(value, option) {
		if (value === 'host' || value === 'mapped') return undefined;
		const {uid, gid} = (value ?? {}) as Record<string, unknown>;
		return isId(uid) && isId(gid) ? undefined : invalidValue(option, value, expected);
	},
};

/** Options of a folder, whatever serves it. */
export const folderOptionTable = {
	folder: {
		type: sharedFolderOption,
		example: '/usr',
		host: true,
		help: 'what is shared: a directory of the host by its path, or, in a program, an object as memoryFolder() gives it',
	},
	readOnly: {type: 'flag', default: folderDefaults.readOnly, help: 'nothing in it changes'},
	owner: {
		type: ownerOption,
		default: folderDefaults.owner,
		example: {uid: 0, gid: 0},
		help: "whose files are: host, whose they are there; UID:GID, that user's; mapped, as the guest says, kept in extended attributes",
	},
	cache: {
		type: 'choice',
		choices: cachePolicies,
		default: folderDefaults.cache,
		help: 'how long the guest takes for true what it has seen: never at all, auto a second, always a day',
	},
	xattrs: {type: 'flag', default: folderDefaults.xattrs, help: 'extended attributes of users (user.*) pass'},
	locks: {type: 'flag', default: folderDefaults.locks, help: 'locks are locks on the host, between machines as well'},
	submounts: {
		type: 'flag',
		default: folderDefaults.submounts,
		help: 'file systems that the host has mounted inside are there',
	},
} as const satisfies OptionTable;

/** A folder, as machines have it. */
export interface FolderSource {
	readonly folder: SharedFolder;
	readonly options: FolderOptions;
}

/** One as {@link folderOptionTable} gives it. */
export const folderSource = ({
	folder,
	...given
}: Omit<FolderOptions, 'mostNodes' | 'mostHandles'> & {readonly folder: SharedFolder}): FolderSource => ({
	folder,
	options: {...folderDefaults, ...given},
});
