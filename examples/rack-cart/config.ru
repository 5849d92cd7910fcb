# A cart in a Rack session, which the gem redis-rack keeps in Redis, as its documentation shows it: puma -b tcp://127.0.0.1:PORT
require "json"
require "redis-rack"

use Rack::Session::Redis,
    redis_server: "#{ENV.fetch("REDIS_URL")}/0/#{ENV.fetch("KEY_PREFIX").chomp(":")}",
    expire_after: 3600

def answer(status, body)
  [status, { "content-type" => "application/json" }, [JSON.generate(body)]]
end

run(lambda do |env|
  request = Rack::Request.new(env)
  session = request.session
  case "#{request.request_method} #{request.path}"
  when "GET /health"
    return answer(200, {})
  when "POST /login"
    session["user"] = JSON.parse(request.body.read)["user"]
    session["items"] = []
    request.session_options[:renew] = true
    return answer(200, {})
  end
  return answer(401, error: "log in first") unless session["user"]

  case "#{request.request_method} #{request.path}"
  when "GET /cart"
    answer(200, user: session["user"], items: session["items"])
  when "POST /cart"
    session["items"] += [JSON.parse(request.body.read)["item"]]
    answer(201, {})
  when "POST /logout"
    session.destroy
    answer(200, {})
  else
    answer(404, {})
  end
end)
