import type {Endpoint, EndpointHost, EndpointReport, Nic} from '#devices/network/endpoint';
import {kindOf, type NetworkSource} from './kinds.ts';

/** A way to open what carries a NIC's frames: {@link openEndpoint}, or a test's own. */
export type OpenEndpoint = (source: NetworkSource, nic: Nic, host: EndpointHost) => Promise<Endpoint>;

/** Opens what carries a NIC's frames. @throws VmmError that says what cannot be had */
export const openEndpoint: OpenEndpoint = async (source, nic, host) => kindOf(source).open(source, nic, host);

/** Bytes of the host's memory that one has. */
export const endpointBytes = (source: NetworkSource): number => kindOf(source).sharedBytes(source);

/** Memory that it has in common with others of its process. */
export const commonOf = (source: NetworkSource): {readonly name: string; readonly bytes: number} | undefined =>
	kindOf(source).common?.(source);

/** What there is to tell of one, whose memory begins at an offset. */
export const endpointReport = (
	source: NetworkSource,
	memory: SharedArrayBuffer,
	offset: number,
): EndpointReport | undefined => kindOf(source).report?.(source, memory, offset);
