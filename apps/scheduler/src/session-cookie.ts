import type { CookieOptions, Request } from 'express';

export interface SessionCookie {
  name: string;
  options: CookieOptions;
}

/**
 * The cookie that carries the session's token. Over https it is `__Host-` bound: no other host and no plain connection
 * can set or read it. Over http (a console on localhost) the browser would refuse that.
 */
export function sessionCookie(consoleUrl: string | undefined): SessionCookie {
  const secure = consoleUrl !== undefined && new URL(consoleUrl).protocol === 'https:';
  return {
    name: secure ? '__Host-bridge_session' : 'bridge_session',
    options: { httpOnly: true, sameSite: 'strict', secure, path: '/' },
  };
}

/** The token of the request's session cookie; undefined when there is none, or two that disagree. */
export function readSessionToken(request: Request, cookie: SessionCookie): string | undefined {
  const found = new Set(
    (request.headers.cookie ?? '')
      .split(';')
      .map((pair) => pair.trim())
      .filter((pair) => pair.startsWith(`${cookie.name}=`))
      .map((pair) => pair.slice(cookie.name.length + 1)),
  );
  const [token] = found;
  return found.size === 1 ? token : undefined;
}
