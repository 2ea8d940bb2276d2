export {endpointOption} from './endpoint-option.ts';
export {endpointForms, type NetworkSource} from './kinds.ts';
export {commonOf, endpointBytes, endpointReport, type OpenEndpoint, openEndpoint} from './open-endpoint.ts';
