import type {Aml} from './encoding.ts';
import {method} from './terms.ts';

const methodName = (trigger: 'E' | 'L', event: number) =>
	`_${trigger}${event.toString(16).toUpperCase().padStart(2, '0')}`;

/** The method that a guest runs after it has cleared the status of a general-purpose event (ACPI 6.5, 5.6.4.1). */
export const edgeEvent = (event: number, ...terms: readonly Aml[]): Aml => method(methodName('E', event), 0, ...terms);

/** The method that ends the cause of a general-purpose event, whose status a guest clears afterwards. */
export const levelEvent = (event: number, ...terms: readonly Aml[]): Aml => method(methodName('L', event), 0, ...terms);
