import {type FolderOptions, folderDefaults} from '#devices/folder';
import {ProgramCalls, ProgramObjects} from '#support/rpc';
import type {FolderObject} from '../folder-object.ts';
import {objectCalls} from '../object-calls.ts';
import {ObjectFolder} from '../object-folder.ts';

/** A folder that is an object, which is called by a channel as from another thread. */
export function calledObject(
	object: FolderObject,
	options: Partial<FolderOptions> = {},
	limitMs = 30_000,
): {readonly folder: ObjectFolder; close(): void} {
	const objects = new ProgramObjects();
	const handle = objects.keep(objectCalls(object));
	const calls = new ProgramCalls(objects.connect(), {
		after(nanoseconds, call) {
			const timer = setTimeout(call, nanoseconds / 1e6);
			return {cancel: () => clearTimeout(timer)};
		},
	});
	const caller = calls.caller();
	const folder = new ObjectFolder((method, argument) => caller.call(handle, method, argument, {limitMs}), {
		...folderDefaults,
		...options,
	});
	return {
		folder,
		close() {
			calls.close();
			objects.close();
		},
	};
}
