import type {GuestMemory} from '#devices/guest-memory';
import type {BootImage} from './boot-image.ts';

/**
 * Copies an image into guest memory, at start and again at every reset; a piece's length beyond its data becomes zero.
 * Changes nothing outside the pieces.
 * @returns false when a piece lies outside RAM: the image was made for another machine
 */
export function writeBootImage(memory: GuestMemory, image: BootImage): boolean {
	return image.pieces.every(({gpa, data, length = data.length}) => {
		if (!memory.contains(gpa, length)) return false;
		return memory.write(gpa, data) && memory.fill(gpa + data.length, length - data.length, 0);
	});
}
