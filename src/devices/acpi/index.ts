export {type AcpiDescription, AcpiNames, type AcpiTable} from './description.ts';
export {type FadtFields, fadt, ioPort} from './fadt.ts';
