import {MouseId} from './mouse-commands.ts';

const alwaysSet = 1 << 3;
const xBits = {negative: 1 << 4, overflow: 1 << 6};
const yBits = {negative: 1 << 5, overflow: 1 << 7};

export const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));

/**
 * Writes the packet of a mouse with this ID (IBM PS/2 Hardware Interface Technical Reference; Microsoft, IntelliMouse).
 * Right, up, and the wheel towards the user are positive; buttons are left, right, middle, fourth, fifth from bit 0 on.
 * @returns its length
 */
export function writePacket(packet: Uint8Array, id: number, x: number, y: number, z: number, buttons: number): number {
	packet[0] = alwaysSet | (buttons & 0x07) | flags(x, xBits) | flags(y, yBits);
	packet[1] = counter(x);
	packet[2] = counter(y);
	if (id !== MouseId.WHEEL && id !== MouseId.FIVE_BUTTONS) return 3;
	packet[3] = id === MouseId.WHEEL ? wheel(z) : (wheel(z) & 0x0f) | ((buttons & 0x18) << 1);
	return 4;
}

/** Movements of up to five counts with 2:1 scaling. */
const scaledSmall = [0, 1, 1, 3, 6, 9] as const;

/** Movement with 2:1 scaling, which holds for reports in stream mode. */
export function scaled(value: number): number {
	const size = Math.abs(value);
	return Math.sign(value) * (scaledSmall[size] ?? 2 * size);
}

const counter = (value: number) => clamp(value, -256, 255) & 0xff;
const wheel = (value: number) => clamp(value, -8, 7);

const flags = (value: number, {negative, overflow}: typeof xBits) =>
	(value < 0 ? negative : 0) | (value < -256 || value > 255 ? overflow : 0);
