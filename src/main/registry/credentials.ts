/** A user's name and password. */
export interface Password {
	readonly user: string;
	readonly password: string;
}

/** Who a registry is told that this is: a password, or what its token server takes in place of one ("OAuth 2.0 Token Authentication"). */
export type Credentials = Password | {readonly identityToken: string};

/** As HTTP has it (RFC 7617); undefined for what is no password. */
export const basic = (credentials: Credentials): string | undefined =>
	'user' in credentials
		? `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`
		: undefined;
