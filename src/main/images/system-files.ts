/** Files that maintainers' scripts make on an installed Debian system, as data: nothing is run. */

import {bytesContent, type FileTree} from '#main/file-tree';

/** Folders that are links on a system whose /usr is merged (Debian Policy 9.1.1). */
const mergedFolders = ['bin', 'sbin', 'lib', 'lib64'] as const;

/** Makes what has to be there before packages are unpacked. */
export function addMergedUsr(tree: FileTree): void {
	for (const name of mergedFolders) {
		tree.addDirectory(`usr/${name}`);
		tree.addLink(name, `usr/${name}`);
	}
}

/** What a system is told about itself. */
export interface SystemIdentity {
	readonly hostName: string;
	/** 32 hexadecimal digits. */
	readonly machineId: string;
}

/** Files that packages bring elsewhere, and their scripts copy (base-files, base-passwd, libc-bin). */
const copies: readonly (readonly [from: string, to: string])[] = [
	['usr/share/base-passwd/passwd.master', 'etc/passwd'],
	['usr/share/base-passwd/group.master', 'etc/group'],
	['usr/share/base-files/dot.profile', 'root/.profile'],
	['usr/share/base-files/dot.bashrc', 'root/.bashrc'],
	['usr/share/base-files/profile', 'etc/profile'],
	['usr/share/base-files/motd', 'etc/motd'],
	['usr/share/libc-bin/nsswitch.conf', 'etc/nsswitch.conf'],
];

/** Groups with a fixed number (base-passwd). */
const groups = {mail: 8, shadow: 42, utmp: 43} as const;

/** Folders with what is on them, where no package brings them (base-files). */
const folders = [
	'mnt',
	'srv',
	'opt',
	'media',
	'home',
	'var/opt',
	'etc/opt',
	'usr/local/bin',
	'usr/local/sbin',
	'usr/local/lib',
];
const migrated: readonly (readonly [from: string, to: string])[] = [
	['run', '/run'],
	['lock', '/run/lock'],
];
const emptyLogs: readonly (readonly [name: string, permissions: number])[] = [
	['wtmp', 0o664],
	['btmp', 0o660],
	['lastlog', 0o664],
];

/** What pam-auth-update makes of a system with nothing but passwords (libpam-runtime). */
const pam = {
	'common-auth': 'auth required pam_unix.so nullok\n',
	'common-account': 'account required pam_unix.so\n',
	'common-password': 'password required pam_unix.so obscure yescrypt\n',
	'common-session': 'session required pam_unix.so\n',
	'common-session-noninteractive': 'session required pam_unix.so\n',
} as const;

/** Makes what is missing when all packages are unpacked. */
export function addSystemFiles(tree: FileTree, {hostName, machineId}: SystemIdentity): void {
	for (const [from, to] of copies) {
		const found = tree.find(from);
		if (found?.kind === 'file' && tree.find(to) === undefined) tree.addFile(to, found.content);
	}
	for (const folder of folders) if (tree.find(folder) === undefined) tree.addDirectory(folder);
	for (const [name, target] of migrated) {
		const folder = tree.find('var');
		const old = tree.find(`var/${name}`);
		if (folder?.kind !== 'directory' || old?.kind !== 'directory' || old.entries.size > 0) continue;
		folder.entries.delete(name);
		tree.addLink(`var/${name}`, target);
	}
	tree.addDirectory('var/mail', {...tree.attributes(0o2775), group: groups.mail});
	for (const [name, permissions] of emptyLogs) {
		const attributes = {...tree.attributes(permissions), group: groups.utmp};
		tree.add(`var/log/${name}`, {...attributes, kind: 'file', content: bytesContent('')});
	}
	if (tree.find('etc/pam.d') !== undefined) {
		for (const [name, text] of Object.entries(pam))
			if (tree.find(`etc/pam.d/${name}`) === undefined) tree.addFile(`etc/pam.d/${name}`, bytesContent(text));
	}
	tree.addFile('etc/hostname', bytesContent(`${hostName}\n`));
	tree.addFile(
		'etc/hosts',
		bytesContent(`127.0.0.1 localhost ${hostName}\n::1 localhost ip6-localhost ip6-loopback\n`),
	);
	// With a machine's identity systemd does not take this for a first boot, on which it would enable every unit.
	tree.addFile('etc/machine-id', bytesContent(`${machineId}\n`), 0o444);
}

/** Lists of names, and the files that have their passwords in place of them (passwd(5), group(5)). */
const shadowed = [
	{list: 'etc/passwd', shadow: 'etc/shadow', line: (name: string, day: number) => userLine(name, day)},
	{list: 'etc/group', shadow: 'etc/gshadow', line: (name: string) => `${name}:*::`},
] as const;

const userLine = (name: string, day: number) => `${name}:${name === 'root' ? '' : '*'}:${day}:0:99999:7:::`;

/**
 * Makes the files of passwords, in which each user of passwd and each group has an entry without a password to log in with; that
 * of root is empty, which terminals take.
 */
export async function addShadowFiles(tree: FileTree, day: number): Promise<void> {
	for (const {list, shadow, line} of shadowed) {
		const found = tree.find(list);
		if (found?.kind !== 'file' || tree.find(shadow) !== undefined) continue;
		let text = '';
		for await (const piece of found.content.pieces()) text += Buffer.from(piece).toString('latin1');
		const entries = text.split('\n').filter((each) => each.includes(':'));
		const names = entries.map((each) => each.split(':')[0] ?? '');
		const content = (lines: readonly string[]) =>
			bytesContent(Buffer.from(lines.map((each) => `${each}\n`).join(''), 'latin1'));
		// An x is what sends readers to the other file.
		tree.add(list, {...found, content: content(entries.map((each) => each.replace(/:[^:]*/, ':x')))});
		const attributes = {...tree.attributes(0o640), group: groups.shadow};
		tree.add(shadow, {...attributes, kind: 'file', content: content(names.map((name) => line(name, day)))});
	}
}
