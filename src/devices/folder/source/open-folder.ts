import type {BackWork} from '#devices/device';
import type {Folder} from '#devices/folder';
import {openHostFolder} from '#devices/folder/host';
import {ObjectFolder} from '#devices/folder/object';
import type {ProgramHandle} from '#support/rpc';
import type {FolderSource} from './folder-options.ts';

/** Milliseconds that an object's method may take; then what the guest asks for fails with ETIMEDOUT. */
const limitMs = 20_000;

/**
 * Opens what a device shares.
 * @throws VmmError FOLDER_UNUSABLE, FOLDER_HOST_TOO_OLD
 */
export function openFolder({folder, options}: FolderSource, {program}: Pick<BackWork, 'program'>): Folder {
	if (typeof folder === 'string') return openHostFolder(folder, options);
	// What is an object in a program's configuration has been detached before a device has it.
	const handle = folder as ProgramHandle;
	return new ObjectFolder((method, argument) => program.call(handle, method, argument, {limitMs}), options);
}
